//! Where the ids of ready jobs come from: Redis, and PostgreSQL itself while Redis is away or seems to have lost some.

use scheduler_core::attach::RedisWatch;
use scheduler_core::config::ExecutorSettings;
use scheduler_core::queue::{Member, QueueError, ReadyPopper};
use scheduler_core::store::Store;
use std::time::Duration;
use tokio::time::Instant;

/// How often an idle loop looks for overdue work behind Redis's back.
const NET_EVERY: Duration = Duration::from_secs(5);
/// What the populator should have pushed long ago.
const OVERDUE: Duration = Duration::from_secs(3);

/// Ids for one loop.
pub(crate) struct Source {
    lane: String,
    store: Store,
    /// Connected when Redis answers for the first time.
    popper: Option<ReadyPopper>,
    watch: RedisWatch,
    pop_wait: Duration,
    poll: Duration,
    starvation_every: u32,
    pops: u32,
    /// One loop of each lane looks into PostgreSQL; several would only find the same rows.
    looks_itself: bool,
    next_net: Instant,
}

impl Source {
    /// Ids of `lane` for its loop number `index`.
    pub fn new(settings: &ExecutorSettings, lane: &str, index: usize, watch: RedisWatch, store: Store) -> Self {
        Self {
            lane: lane.to_owned(),
            store,
            popper: None,
            watch,
            pop_wait: settings.pop_wait,
            poll: settings.fallback_poll,
            starvation_every: settings.starvation_every,
            pops: 0,
            looks_itself: index == 0,
            next_net: Instant::now() + NET_EVERY,
        }
    }

    /// Up to `most` ids; empty when a wait was in vain. Bounded by the pop's wait or the poll's pause.
    pub async fn take(&mut self, most: usize) -> Vec<Member> {
        if self.watch.is_up() {
            self.pop(most).await
        } else if self.looks_itself {
            self.look(most, Duration::ZERO).await
        } else {
            self.pause().await;
            Vec::new()
        }
    }

    /// The ids were worth nothing: do not come back at once with the same ones.
    pub async fn in_vain(&self) {
        if !self.watch.is_up() {
            self.pause().await;
        }
    }

    async fn pop(&mut self, most: usize) -> Vec<Member> {
        self.pops = self.pops.wrapping_add(1);
        let from_last = self.starvation_every > 0 && self.pops.is_multiple_of(self.starvation_every);
        let watch = self.watch.clone();
        let popped = tokio::select! {
            popped = self.blocking_pop(most, from_last) => popped,
            () = watch.down() => return Vec::new(),
        };
        match popped {
            Ok(members) if members.is_empty() => self.net(most).await,
            Ok(members) => members,
            Err(error) => {
                tracing::debug!(lane = self.lane, ?error, "nothing popped");
                self.watch.mark_down();
                Vec::new()
            }
        }
    }

    async fn blocking_pop(&mut self, most: usize, from_last: bool) -> Result<Vec<Member>, QueueError> {
        let popper = match &self.popper {
            Some(popper) => popper,
            None => {
                let popper = ReadyPopper::connect(self.watch.redis(), &self.lane, self.pop_wait).await?;
                self.popper.insert(popper)
            }
        };
        popper.pop(most, from_last).await
    }

    /// Redis has nothing. Now and then that is checked against the truth.
    async fn net(&mut self, most: usize) -> Vec<Member> {
        if !self.looks_itself || Instant::now() < self.next_net {
            return Vec::new();
        }
        let found = self.candidates(most, OVERDUE).await;
        if found.is_empty() {
            self.next_net = Instant::now() + NET_EVERY;
        } else {
            tracing::warn!(lane = self.lane, jobs = found.len(), "overdue jobs that nobody has pushed");
        }
        found
    }

    async fn look(&mut self, most: usize, overdue_by: Duration) -> Vec<Member> {
        let found = self.candidates(most, overdue_by).await;
        if found.is_empty() {
            self.pause().await;
        }
        found
    }

    async fn candidates(&self, most: usize, overdue_by: Duration) -> Vec<Member> {
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
