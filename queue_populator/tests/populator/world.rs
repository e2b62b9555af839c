//! A database, a corner of Redis, and populators that a test starts and stops.

use chrono::{DateTime, Utc};
use scheduler_core::config::{SecretUrl, Settings};
use scheduler_core::domain::{JobId, MerchantId};
use scheduler_core::health::Health;
use scheduler_core::lifecycle::{Shutdown, ShutdownTrigger};
use scheduler_core::queue::{DueHint, HintSender, Member, ReadyPopper, ReadyQueue};
use scheduler_core::store::Store;
use std::time::Duration;
use test_support::{TestDatabase, TestRedis, eventually, seed, sql};

/// Longer than anything here takes, even on a busy machine.
pub const SOON: Duration = Duration::from_secs(15);

/// A running populator.
pub struct Populator {
    pub health: Health,
    trigger: ShutdownTrigger,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Populator {
    /// Starts one with these settings.
    pub fn start(settings: Settings) -> Self {
        let (trigger, shutdown) = Shutdown::new();
        let health = Health::new("queue_populator");
        let task = tokio::spawn(queue_populator::run(settings, health.clone(), shutdown));
        Self { health, trigger, task }
    }

    /// Stops it as SIGTERM would.
    pub async fn stop(self) {
        self.trigger.soft();
        self.task.await.unwrap().unwrap();
    }

    /// Ends it without a word, as `kill -9` would as far as its lease is concerned: its lanes run no more, and nobody
    /// releases them.
    pub async fn kill(self, store: &Store) {
        sql::execute(store, "CREATE RULE stays AS ON DELETE TO lane_leases DO INSTEAD NOTHING").await;
        self.stop().await;
        sql::execute(store, "DROP RULE stays ON lane_leases").await;
    }

    /// Whether a component is well; none: it is not known yet.
    pub fn component(&self, name: &str) -> Option<bool> {
        self.health.report().components.iter().find(|c| c.name == name).map(|c| c.ok)
    }
}

/// What a test works in.
pub struct World {
    pub database: TestDatabase,
    pub redis: TestRedis,
    pub merchant: MerchantId,
    pub settings: Settings,
    hints: HintSender,
    queue: ReadyQueue,
}

impl World {
    /// A fresh world with one merchant.
    pub async fn new() -> Self {
        let (database, redis) = (TestDatabase::new().await, TestRedis::new().await);
        let mut settings = Settings::defaults();
        settings.database.url = SecretUrl::new(database.url());
        settings.redis.url = SecretUrl::new(redis.url());
        settings.redis.prefix = redis.prefix().to_owned();
        settings.populator.sweep = Duration::from_millis(200);
        settings.populator.recent = Duration::from_millis(600);
        let merchant = seed::merchant(database.store(), "first").await;
        let connection = redis.redis().await;
        let (hints, queue) = (HintSender::new(connection.clone()), ReadyQueue::new(connection));
        Self { database, redis, merchant, settings, hints, queue }
    }

    /// The same with a populator that serves the default lane.
    pub async fn running() -> (Self, Populator) {
        let world = Self::new().await;
        let populator = world.start().await;
        (world, populator)
    }

    /// Starts a populator and waits until the default lane is served.
    pub async fn start(&self) -> Populator {
        let populator = Populator::start(self.settings.clone());
        eventually(SOON, || async {
            populator.health.report().loops.iter().any(|l| l.name == "sweep default").then_some(())
        })
        .await;
        populator
    }

    pub fn store(&self) -> &Store {
        self.database.store()
    }

    pub fn queue(&self) -> &ReadyQueue {
        &self.queue
    }

    /// Says that much may have become due in a lane.
    pub async fn hint_lane(&self, lane: &str) {
        self.hints.lane(lane).await;
    }

    /// A due job without any hint.
    pub async fn job(&self) -> JobId {
        seed::job(self.store(), self.merchant).await
    }

    /// `count` due jobs of a merchant, the first of them first.
    pub async fn jobs(&self, merchant: MerchantId, count: usize) {
        let insert = format!(
            "INSERT INTO jobs_live (merchant_id, id, state, run_at, scheduled_for, created_at, queue, lane, priority,
                                    max_attempts, timeout_ms, target)
             SELECT '{merchant}', gen_random_uuid(), 'scheduled', t, t, clock_timestamp(), 'default', 'default', 5,
                    5, 30000, '{{\"kind\":\"noop\"}}'
               FROM generate_series(1, {count}) AS n,
                    LATERAL (SELECT clock_timestamp() - interval '1 hour' + n * interval '1 ms' AS t) AS due"
        );
        sql::execute(self.store(), &insert).await;
    }

    /// Tells the populators of a job of the default queue.
    pub async fn hint(&self, job: JobId, run_at: DateTime<Utc>) {
        let member = Member { merchant: self.merchant, job };
        self.hints.due(&[DueHint { member, run_at, priority: 5, lane: "default".to_owned() }]).await;
    }

    /// Somebody who takes jobs of a lane as an executor does.
    pub async fn popper(&self, lane: &str) -> ReadyPopper {
        ReadyPopper::connect(&self.redis.redis().await, lane, Duration::from_millis(500)).await.unwrap()
    }

    /// Pops until a job comes.
    pub async fn pop(&self, popper: &ReadyPopper) -> Member {
        eventually(SOON, || async { popper.pop(1, false).await.unwrap().pop() }).await
    }

    /// Jobs that wait in the ready sets of the default lane.
    pub async fn depth(&self) -> u64 {
        self.queue.depths("default").await.unwrap().iter().sum()
    }

    /// Waits until that many jobs wait in Redis.
    pub async fn until_depth(&self, depth: u64) {
        eventually(SOON, || async { (self.depth().await == depth).then_some(()) }).await;
    }

    /// Ends jobs as far as the populator is concerned.
    pub async fn gone(&self, members: &[Member]) {
        let column = |part: fn(&Member) -> uuid::Uuid| {
            let ids: Vec<String> = members.iter().map(|member| format!("'{}'", part(member))).collect();
            format!("ARRAY[{}]::uuid[]", ids.join(","))
        };
        let delete = format!(
            "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;
             DELETE FROM jobs_live j USING unnest({}, {}) AS g (merchant_id, id)
              WHERE j.merchant_id = g.merchant_id AND j.id = g.id",
            column(|member| member.merchant.0),
            column(|member| member.job.0)
        );
        sql::execute(self.store(), &delete).await;
    }

    /// The stored state of a job, once it is this one.
    pub async fn until_state(&self, job: JobId, state: &str) {
        eventually(SOON, || async {
            let now = seed::stored_state(self.store(), self.merchant, job).await;
            (now.as_deref() == Some(state)).then_some(())
        })
        .await;
    }

    /// The stored state of a job.
    pub async fn state(&self, job: JobId) -> String {
        seed::stored_state(self.store(), self.merchant, job).await.unwrap()
    }
}
