//! Judging blocked jobs: as soon as a parent's end is announced, and by a slow sweep over all of them.

use metrics::counter;
use scheduler_core::domain::{JobId, MerchantId};
use scheduler_core::queue::{DueHint, HintSender, Member};
use scheduler_core::reconcile::{Progress, Reconcile, Wake};
use scheduler_core::store::transitions::dependencies::Judged;
use scheduler_core::store::{Store, StoreError};
use scheduler_core::telemetry::metrics as names;
use std::time::Duration;

/// How often the sweep over all blocked jobs begins.
pub const SWEEP_PERIOD: Duration = Duration::from_secs(30);
/// Parents, and children, in one transaction.
const BATCH: usize = 500;
/// Blocked jobs in one page of the sweep.
const PAGE: usize = 1_000;

/// Tells the world what was judged.
#[derive(Clone)]
pub struct Announcer {
    /// Wakes the populators of the lanes.
    pub hints: HintSender,
    /// Wakes [`Endings`]: a job that was skipped may be a parent itself.
    pub endings: Wake,
}

impl Announcer {
    async fn announce(&self, judged: &Judged) {
        let count = |outcome: &'static str, jobs: usize| {
            counter!(names::DEPENDENCIES_RESOLVED_TOTAL, "outcome" => outcome).increment(jobs as u64);
        };
        count("unblocked", judged.unblocked.len());
        count("skipped", judged.skipped.len());
        if !judged.skipped.is_empty() {
            counter!(names::JOBS_FINISHED_TOTAL, "state" => "skipped").increment(judged.skipped.len() as u64);
            self.endings.wake();
        }
        let hints: Vec<DueHint> = judged
            .unblocked
            .iter()
            .map(|job| DueHint {
                member: Member { merchant: job.merchant, job: job.job },
                run_at: job.run_at,
                priority: job.priority,
                lane: job.lane.clone(),
            })
            .collect();
        self.hints.due(&hints).await;
    }
}

/// Judges the children of parents whose end was announced.
pub struct Endings {
    /// PostgreSQL, with plans by key.
    pub store: Store,
    /// Who is told.
    pub announcer: Announcer,
}

impl Reconcile for Endings {
    const NAME: &'static str = "dependencies";
    type Error = StoreError;

    async fn tick(&mut self) -> Result<Progress, StoreError> {
        let judged = self.store.judge_endings(BATCH).await?;
        self.announcer.announce(&judged).await;
        Ok(if judged.more { Progress::More } else { Progress::Idle })
    }
}

/// Goes through all blocked jobs and judges those that can be judged. Finds what an announcement missed.
pub struct BlockedSweep {
    store: Store,
    announcer: Announcer,
    after: Option<(MerchantId, JobId)>,
}

impl BlockedSweep {
    /// A sweep that begins at the front.
    pub fn new(store: Store, announcer: Announcer) -> Self {
        Self { store, announcer, after: None }
    }
}

impl Reconcile for BlockedSweep {
    const NAME: &'static str = "blocked_sweep";
    type Error = StoreError;

    async fn tick(&mut self) -> Result<Progress, StoreError> {
        let page = self.store.ripe_blocked(self.after, PAGE).await?;
        for children in page.ripe.chunks(BATCH) {
            let judged = self.store.judge_blocked(children).await?;
            self.announcer.announce(&judged).await;
        }
        self.after = page.next;
        Ok(if self.after.is_some() { Progress::More } else { Progress::Idle })
    }
}
