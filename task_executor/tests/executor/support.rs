//! A world for one test: a database, a corner of Redis, a merchant, and executors in this process.

use scheduler_core::config::{LoadOptions, Settings};
use scheduler_core::domain::{ExecutionResult, JobId, MerchantId, SessionId, Token};
use scheduler_core::health::Health;
use scheduler_core::lifecycle::{Shutdown, ShutdownTrigger};
use scheduler_core::queue::{Member, ReadyQueue};
use scheduler_core::store::transitions::claim::{ClaimAnswer, ClaimKey, Claimed, Granted};
use scheduler_core::store::transitions::results::AttemptReport;
use scheduler_core::store::{Store, StoreOptions, StoreRole};
use std::time::Duration;
use test_support::{TestDatabase, TestRedis, eventually, seed, sql};
use uuid::Uuid;

pub const SECOND: Duration = Duration::from_secs(1);
pub const SOON: Duration = Duration::from_secs(10);

pub struct World {
    pub db: TestDatabase,
    pub redis: TestRedis,
    pub merchant: MerchantId,
    /// As the reporter uses it.
    pub results: Store,
}

/// An executor in this process.
pub struct Running {
    pub trigger: ShutdownTrigger,
    pub health: Health,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl World {
    pub async fn new() -> Self {
        test_support::install_tls_provider();
        let (db, redis) = (TestDatabase::new().await, TestRedis::new().await);
        let merchant = seed::merchant(db.store(), "acme").await;
        let options = StoreOptions::new(db.url(), StoreRole::Results, 4, "test");
        let results = Store::connect_lazy(&options).unwrap();
        Self { db, redis, merchant, results }
    }

    pub fn settings(&self, overrides: &[(&str, &str)]) -> Settings {
        let mut all = vec![
            ("database.url", self.db.url()),
            ("redis.url", self.redis.url()),
            ("redis.prefix", self.redis.prefix()),
            ("executor.allow_private_addresses", "true"),
            ("executor.pop_wait_seconds", "0.2"),
            ("executor.fallback_poll_seconds", "0.05"),
            ("executor.drain_grace_seconds", "5"),
        ];
        all.extend(overrides);
        let overrides = all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Settings::load(LoadOptions { overrides, ..LoadOptions::default() }).unwrap()
    }

    pub fn start(&self, overrides: &[(&str, &str)]) -> Running {
        let (trigger, shutdown) = Shutdown::new();
        let health = Health::new("test");
        let task = tokio::spawn(task_executor::run(self.settings(overrides), health.clone(), shutdown));
        Running { trigger, health, task }
    }

    /// What the populator does.
    pub async fn push(&self, jobs: &[JobId]) {
        let entries: Vec<_> = jobs.iter().map(|job| (1.0, Member { merchant: self.merchant, job: *job })).collect();
        ReadyQueue::new(self.redis.redis().await).push("default", 5, Uuid::from_u128(7), &entries).await.unwrap();
    }

    /// A due webhook job.
    pub async fn webhook(&self, url: &str) -> JobId {
        self.webhook_seed(url).insert(self.db.store()).await
    }

    pub fn webhook_seed(&self, url: &str) -> seed::JobSeed {
        let target = format!(r#"{{"kind":"http","url":"{url}"}}"#);
        seed::JobSeed { target, payload: Some(r#"{"n":1}"#.to_owned()), ..seed::JobSeed::due(self.merchant) }
    }

    pub async fn state(&self, job: JobId) -> Option<String> {
        seed::stored_state(self.db.store(), self.merchant, job).await
    }

    pub async fn until_state(&self, job: JobId, state: &str) {
        eventually(SOON, || async { (self.state(job).await.as_deref() == Some(state)).then_some(()) }).await;
    }

    pub async fn number(&self, query: &str) -> i64 {
        sql::number(self.db.store(), query).await
    }

    pub async fn execute(&self, statements: &str) {
        sql::execute(self.db.store(), statements).await;
    }

    pub async fn session(&self) -> SessionId {
        let id = SessionId::random();
        self.db.claims_store().open_session(id, "test", 1, &["default".to_owned()]).await.unwrap();
        id
    }

    pub fn key(&self, job: JobId) -> ClaimKey {
        ClaimKey { merchant: self.merchant, job, token: Token::random() }
    }

    pub async fn claim(&self, session: SessionId, keys: &[ClaimKey]) -> Vec<Claimed> {
        self.db.claims_store().claim(session, keys, Duration::ZERO).await.unwrap()
    }

    pub async fn claim_one(&self, session: SessionId, job: JobId) -> Granted {
        granted(self.claim(session, &[self.key(job)]).await)
    }

    /// A claimed job and its session.
    pub async fn running(&self) -> (ClaimKey, SessionId) {
        let job = seed::job(self.db.store(), self.merchant).await;
        let session = self.session().await;
        (self.claim_one(session, job).await.key, session)
    }

    pub async fn report(&self, key: ClaimKey, session: SessionId, result: ExecutionResult) -> AttemptReport {
        let now = seed::database_now(self.db.store()).await;
        AttemptReport { key, session, started_at: now, finished_at: now, result }
    }
}

impl Running {
    /// Asks it to stop and waits until it has.
    pub async fn drain(self) {
        self.trigger.soft();
        self.ended().await;
    }

    pub async fn ended(self) {
        tokio::time::timeout(2 * SOON, self.task).await.expect("it did not stop").unwrap().unwrap();
    }
}

pub fn granted(claimed: Vec<Claimed>) -> Granted {
    match claimed.into_iter().next().map(|claimed| claimed.answer) {
        Some(ClaimAnswer::Granted(granted)) => *granted,
        other => panic!("not granted: {other:?}"),
    }
}
