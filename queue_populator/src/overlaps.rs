//! Judging overlaps: a due job is skipped while an earlier one of its template is still live.
//!
//! The sweep of a lane does this for what it reads anyway, and a claim refuses such a job in any case. This duty needs
//! neither room in a ready set nor Redis.

use metrics::counter;
use scheduler_core::clock::Clock;
use scheduler_core::reconcile::{Progress, Reconcile, Wake};
use scheduler_core::store::transitions::overlap::OverlapCursor;
use scheduler_core::store::{Store, StoreError};
use scheduler_core::telemetry::metrics as names;

/// Due jobs in one page.
const PAGE: usize = 1_000;
/// Jobs skipped in one transaction.
const BATCH: usize = 200;

/// Skips due jobs with an earlier one of their template in the way.
pub struct Overlaps {
    store: Store,
    clock: Clock,
    endings: Wake,
    after: Option<OverlapCursor>,
}

impl Overlaps {
    /// Begins at the front. `endings` is woken when a job was skipped: it may be a parent.
    pub fn new(store: Store, clock: Clock, endings: Wake) -> Self {
        Self { store, clock, endings, after: None }
    }
}

impl Reconcile for Overlaps {
    const NAME: &'static str = "overlaps";
    type Error = StoreError;

    async fn tick(&mut self) -> Result<Progress, StoreError> {
        let page = self.store.due_overlaps(self.clock.now(), self.after, PAGE).await?;
        for jobs in page.overlapping.chunks(BATCH) {
            let skipped = self.store.skip_overlaps(jobs).await?;
            if !skipped.is_empty() {
                counter!(names::JOBS_FINISHED_TOTAL, "state" => "skipped").increment(skipped.len() as u64);
                self.endings.wake();
            }
        }
        self.after = page.next;
        Ok(if self.after.is_some() { Progress::More } else { Progress::Idle })
    }
}
