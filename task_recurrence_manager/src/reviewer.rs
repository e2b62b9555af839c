//! Templates that have to be looked at: a job of theirs has ended, a calendar or a freeze window has changed.

use crate::announce::Announcer;
use metrics::counter;
use scheduler_core::clock::Clock;
use scheduler_core::reconcile::{Progress, Reconcile};
use scheduler_core::store::Store;
use scheduler_core::store::StoreError;
use scheduler_core::telemetry::metrics as names;

/// Templates in one tick.
const PER_TICK: usize = 100;

/// Does what follows for them.
pub struct Reviewer {
    store: Store,
    clock: Clock,
    announcer: Announcer,
}

impl Reviewer {
    /// A reviewer over this store and clock.
    pub fn new(store: Store, clock: Clock, announcer: Announcer) -> Self {
        Self { store, clock, announcer }
    }
}

impl Reconcile for Reviewer {
    const NAME: &'static str = "review_templates";
    type Error = StoreError;

    async fn tick(&mut self) -> Result<Progress, StoreError> {
        let done = self.store.review_templates(self.clock.now(), PER_TICK).await?;
        self.announcer.announce(&done.jobs);
        counter!(names::JOBS_CREATED_TOTAL, "source" => "template").increment(done.jobs.len() as u64);
        for template in &done.paused {
            tracing::warn!(%template, "a template paused itself: its jobs keep failing");
        }
        for template in &done.deleted {
            tracing::info!(%template, "a template was deleted: its schedule has ended");
        }
        for error in &done.broken {
            tracing::error!(%error, "a template cannot be reviewed");
        }
        Ok(if done.more { Progress::More } else { Progress::Idle })
    }
}
