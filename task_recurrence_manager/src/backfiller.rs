//! Backfills: a stretch of a template's past, run a few jobs at a time.

use crate::announce::Announcer;
use metrics::counter;
use scheduler_core::clock::Clock;
use scheduler_core::reconcile::{Progress, Reconcile};
use scheduler_core::store::Store;
use scheduler_core::store::StoreError;
use scheduler_core::telemetry::metrics as names;

/// Backfills in one tick.
const PER_TICK: usize = 100;

/// Makes the next jobs of running backfills as their earlier ones end.
pub struct Backfiller {
    store: Store,
    clock: Clock,
    announcer: Announcer,
}

impl Backfiller {
    /// A backfiller over this store and clock.
    pub fn new(store: Store, clock: Clock, announcer: Announcer) -> Self {
        Self { store, clock, announcer }
    }
}

impl Reconcile for Backfiller {
    const NAME: &'static str = "backfill";
    type Error = StoreError;

    async fn tick(&mut self) -> Result<Progress, StoreError> {
        let done = self.store.drive_backfills(self.clock.now(), PER_TICK).await?;
        self.announcer.announce(&done.jobs);
        counter!(names::JOBS_CREATED_TOTAL, "source" => "backfill").increment(done.jobs.len() as u64);
        counter!(names::OCCURRENCES_CREATED_TOTAL, "outcome" => "backfilled").increment(done.jobs.len() as u64);
        for error in &done.broken {
            tracing::error!(%error, "a backfill cannot go on; it is left alone for a minute");
        }
        if !done.jobs.is_empty() || done.completed > 0 {
            tracing::debug!(jobs = done.jobs.len(), completed = done.completed, "backfilled");
        }
        Ok(if done.more { Progress::More } else { Progress::Idle })
    }
}
