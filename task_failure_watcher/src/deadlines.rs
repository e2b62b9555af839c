//! Ends jobs that did not start before their start deadline.

use crate::announcer::Announcer;
use crate::halving::in_halves;
use crate::stores::Stores;
use scheduler_core::reconcile::{Progress, Reconcile};
use scheduler_core::store::StoreError;
use scheduler_core::store::transitions::expire::{Expired, OverdueStart};
use scheduler_core::telemetry::metrics as names;

/// Goes through the overdue jobs, the longest overdue first, a page at a time.
pub struct Deadlines {
    stores: Stores,
    announcer: Announcer,
    batch: usize,
    cursor: Option<OverdueStart>,
}

impl Deadlines {
    /// The duty; `batch` is the number of jobs per transaction.
    pub fn new(stores: &Stores, announcer: Announcer, batch: usize) -> Self {
        Self { stores: stores.clone(), announcer, batch, cursor: None }
    }

    async fn account(&self, ended: &Expired) {
        metrics::counter!(names::JOBS_EXPIRED_TOTAL).increment(ended.expired);
        metrics::counter!(names::JOBS_FINISHED_TOTAL, "state" => "expired").increment(ended.expired);
        metrics::counter!(names::JOBS_FINISHED_TOTAL, "state" => "cancelled").increment(ended.cancelled);
        self.announcer.ended(ended.has_dependents).await;
    }
}

impl Reconcile for Deadlines {
    const NAME: &'static str = "deadlines";
    type Error = StoreError;

    async fn tick(&mut self) -> Result<Progress, StoreError> {
        let page = self.stores.sweeps.overdue_starts(self.cursor, self.batch).await?;
        let edges = &self.stores.edges;
        let written = in_halves(&page, |jobs| {
            let edges = edges.clone();
            Box::pin(async move { edges.expire_overdue(jobs).await })
        })
        .await?;
        for ended in &written {
            self.account(ended).await;
        }
        let progress = Progress::of_batch(page.len(), self.batch);
        self.cursor = page.last().filter(|_| progress == Progress::More).copied();
        Ok(progress)
    }
}
