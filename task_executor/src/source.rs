//! Where the ids of ready jobs come from: Redis, and PostgreSQL itself while Redis is away, refuses, or lacks some.

use crate::doubt::{Doubt, Experience};
use scheduler_core::attach::RedisWatch;
use scheduler_core::config::ExecutorSettings;
use scheduler_core::health::Health;
use scheduler_core::planted::planted;
use scheduler_core::queue::{Member, QueueError, ReadyPopper, ReadyQueue};
use scheduler_core::store::Store;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How often an idle loop looks for overdue work behind Redis's back. Seldomer where the look is dear, but not beyond.
const NET_EVERY: Duration = Duration::from_secs(1);
const NET_AT_LEAST_EVERY: Duration = Duration::from_secs(5);
/// The share of the time that an idle loop may spend on looking.
const NET_SHARE: u32 = 20;
/// What the populator should have pushed long ago. While its pushes are in doubt, nothing is waited for.
const OVERDUE: Duration = Duration::from_secs(3);
/// Longest pause after ids from PostgreSQL that others had claimed: of two executors one should get ahead.
const OUT_OF_STEP: Duration = Duration::from_millis(100);

/// Where the last ids came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Origin {
    Redis,
    /// PostgreSQL, because Redis had none.
    Net,
    /// PostgreSQL, because Redis was not asked.
    Instead,
}

/// Ids for one loop.
pub(crate) struct Source {
    lane: String,
    store: Store,
    health: Health,
    /// Connected when Redis answers for the first time.
    popper: Option<ReadyPopper>,
    watch: RedisWatch,
    experience: Arc<Experience>,
    doubt: Doubt,
    pop_wait: Duration,
    poll: Duration,
    starvation_every: u32,
    pops: u32,
    /// One loop of each lane looks into PostgreSQL; several would only find the same rows.
    looks_itself: bool,
    next_net: Instant,
    origin: Origin,
}

impl Source {
    /// Ids of `lane` for its loop number `index`. The loops of a lane share their `experience`.
    pub fn new(
        settings: &ExecutorSettings,
        lane: &str,
        index: usize,
        watch: RedisWatch,
        experience: Arc<Experience>,
        store: Store,
        health: Health,
    ) -> Self {
        let looks_itself = index == 0;
        Self {
            lane: lane.to_owned(),
            store,
            health,
            popper: None,
            watch,
            experience,
            doubt: Doubt::default(),
            // A long wait for Redis would hold up the look into PostgreSQL.
            pop_wait: if looks_itself { settings.pop_wait.min(NET_EVERY) } else { settings.pop_wait },
            poll: settings.fallback_poll,
            starvation_every: settings.starvation_every,
            pops: 0,
            looks_itself,
            next_net: Instant::now() + NET_EVERY,
            origin: Origin::Redis,
        }
    }

    /// Up to `most` ids; empty when a wait was in vain. Bounded by the pop's wait or the poll's pause.
    pub async fn take(&mut self, most: usize) -> Vec<Member> {
        let shunned = self.experience.shunned(Instant::now());
        if !self.watch.is_up() || shunned.is_some() {
            return self.take_without_redis(most, shunned).await;
        }
        self.origin = Origin::Redis;
        if !self.looks_itself {
            return self.pop(most, self.pop_wait).await;
        }
        if self.doubt.lasts(self.experience.given(), Instant::now()) {
            return self.take_doubting(most).await;
        }
        let popped = self.pop(most, self.pop_wait).await;
        if popped.is_empty() { self.net(most).await } else { popped }
    }

    /// The ids were offered, and so many were granted. Waits when they were worth nothing, so that the same ones do not
    /// come back at once.
    pub async fn settle(&mut self, granted: usize) {
        let count = u64::try_from(granted).unwrap_or(u64::MAX);
        match self.origin {
            Origin::Redis => self.experience.gave(count),
            Origin::Net if granted > 0 => {
                if self.doubt.add(count, self.experience.given(), Instant::now()) {
                    tracing::warn!(
                        lane = self.lane,
                        jobs = granted,
                        "overdue jobs that nobody has pushed; claiming what is due from PostgreSQL meanwhile"
                    );
                }
            }
            Origin::Net => tokio::time::sleep(out_of_step()).await,
            Origin::Instead if granted == 0 => self.pause().await,
            Origin::Instead => {}
        }
    }

    /// Redis first, since what it has is in fair order; then at once whatever is due.
    async fn take_doubting(&mut self, most: usize) -> Vec<Member> {
        let popped = self.pop(most, Duration::ZERO).await;
        if !popped.is_empty() {
            return popped;
        }
        let found = self.candidates(most, Duration::ZERO).await;
        if !found.is_empty() {
            self.origin = Origin::Net;
            return found;
        }
        self.pop(most, self.poll).await
    }

    async fn take_without_redis(&mut self, most: usize, shunned: Option<Duration>) -> Vec<Member> {
        self.origin = Origin::Instead;
        if self.looks_itself {
            let found = self.candidates(most, Duration::ZERO).await;
            if !found.is_empty() {
                return found;
            }
        }
        match shunned {
            Some(left) => tokio::time::sleep(left.min(self.poll)).await,
            None => self.pause().await,
        }
        Vec::new()
    }

    async fn pop(&mut self, most: usize, wait: Duration) -> Vec<Member> {
        self.pops = self.pops.wrapping_add(1);
        let from_last = self.starvation_every > 0 && self.pops.is_multiple_of(self.starvation_every);
        let watch = self.watch.clone();
        let popped = tokio::select! {
            popped = self.pop_from_redis(most, from_last, wait) => popped,
            () = watch.down() => return Vec::new(),
        };
        match popped {
            Ok(members) => {
                if self.experience.recovered() {
                    self.health.healthy(&self.component());
                }
                if self.experience.answered() {
                    tracing::info!(lane = self.lane, "Redis gives ready jobs again");
                }
                members
            }
            Err(error) if error.refusal().is_some() => {
                self.refused(error).await;
                Vec::new()
            }
            Err(error) => {
                tracing::debug!(lane = self.lane, ?error, "nothing popped");
                self.watch.mark_down();
                // It may have gone silent for ever; once Redis answers, another one is made.
                self.popper = None;
                Vec::new()
            }
        }
    }

    async fn pop_from_redis(
        &mut self,
        most: usize,
        from_last: bool,
        wait: Duration,
    ) -> Result<Vec<Member>, QueueError> {
        let popper = match &self.popper {
            Some(popper) => popper,
            None => {
                let popper = ReadyPopper::connect(self.watch.redis(), &self.lane, self.pop_wait).await?;
                self.popper.insert(popper)
            }
        };
        popper.pop_within(most, from_last, wait).await
    }

    /// Redis answers, but not to this: it is of no use to the lane until the cause is gone, which may be in our power.
    async fn refused(&self, error: QueueError) {
        let news = self.experience.refused(Instant::now());
        self.health
            .unhealthy(&self.component(), "Redis refuses to give ready jobs; jobs are claimed from PostgreSQL, slower");
        if error.is_wrong_type() {
            match ReadyQueue::new(self.watch.redis().clone()).heal(&self.lane).await {
                Ok(0) => {}
                Ok(sets) => tracing::warn!(lane = self.lane, sets, "removed ready sets that somebody had overwritten"),
                Err(error) => tracing::debug!(lane = self.lane, ?error, "the ready sets were not healed"),
            }
        }
        let error = anyhow::Error::from(error);
        if news {
            tracing::warn!(
                lane = self.lane,
                error = format!("{error:#}"),
                "Redis gives no ready jobs; claiming from PostgreSQL, slower"
            );
        } else {
            tracing::debug!(lane = self.lane, error = format!("{error:#}"), "Redis gives no ready jobs");
        }
    }

    /// Name of the lane's pops in the health report.
    fn component(&self) -> String {
        format!("pops {}", self.lane)
    }

    /// Redis has nothing. Now and then that is checked against the truth.
    async fn net(&mut self, most: usize) -> Vec<Member> {
        let started = Instant::now();
        if started < self.next_net {
            return Vec::new();
        }
        let found = self.candidates(most, OVERDUE).await;
        let done = Instant::now();
        self.next_net = done + ((done - started) * NET_SHARE).clamp(NET_EVERY, NET_AT_LEAST_EVERY);
        self.origin = Origin::Net;
        found
    }

    async fn candidates(&self, most: usize, overdue_by: Duration) -> Vec<Member> {
        if planted("queued_flag") || planted("cursor_skips_late_commits") {
            return Vec::new();
        }
        match self.store.due_candidates(&self.lane, overdue_by, most).await {
            Ok(found) => found.into_iter().map(|(merchant, job)| Member { merchant, job }).collect(),
            Err(error) => {
                tracing::debug!(lane = self.lane, ?error, "PostgreSQL was not asked for due jobs");
                Vec::new()
            }
        }
    }

    async fn pause(&self) {
        tokio::select! {
            () = tokio::time::sleep(self.poll) => {}
            () = self.watch.up() => {}
        }
    }
}

fn out_of_step() -> Duration {
    // No generator of its own for a number that nobody depends on.
    let random = uuid::Uuid::new_v4().as_bytes()[0];
    OUT_OF_STEP.mul_f64((f64::from(random) + 1.0) / 256.0)
}
