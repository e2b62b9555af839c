//! Judging overlaps: what becomes of a due job that has others of its template in its way.
//!
//! The sweep of a lane finds them among what it reads anyway, and a claim refuses such a job in any case. This duty needs
//! neither room in a ready set nor Redis.

use metrics::counter;
use scheduler_core::clock::Clock;
use scheduler_core::domain::{JobId, MerchantId};
use scheduler_core::queue::{HintSender, Member};
use scheduler_core::reconcile::{Progress, Reconcile, Wake};
use scheduler_core::store::transitions::overlap::{Displaced, OverlapCursor, Verdict};
use scheduler_core::store::{Store, StoreError};
use scheduler_core::telemetry::metrics as names;

/// Due jobs in one page.
const PAGE: usize = 1_000;
/// Jobs skipped in one transaction.
const BATCH: usize = 200;

/// A due job and what it has to do.
pub type Judged = (MerchantId, JobId, Verdict);

/// Carries verdicts out; cheap to clone.
#[derive(Clone)]
pub struct Judge {
    /// PostgreSQL.
    pub store: Store,
    /// Tells executors what to stop.
    pub hints: HintSender,
    /// Woken when a job has ended: it may be a parent.
    pub endings: Wake,
}

impl Judge {
    /// Skips what has to be skipped and ends what has to make way; who waits is left alone.
    ///
    /// # Errors
    /// When the database does not do it; the next look does.
    pub async fn carry_out(&self, judged: &[Judged]) -> Result<(), StoreError> {
        let with = |wanted: Verdict| {
            let some = judged.iter().filter(move |(.., verdict)| *verdict == wanted);
            some.map(|(merchant, job, _)| (*merchant, *job)).collect::<Vec<_>>()
        };
        for jobs in with(Verdict::Skip).chunks(BATCH) {
            let skipped = self.store.skip_overlaps(jobs).await?;
            self.ended("skipped", skipped.len());
        }
        for (merchant, job) in with(Verdict::Displace) {
            let displaced = self.store.displace_others(merchant, job).await?;
            self.ended("skipped", displaced.skipped.len());
            self.ended("cancelled", displaced.cancelled.len());
            self.tell(displaced);
        }
        Ok(())
    }

    fn ended(&self, state: &'static str, jobs: usize) {
        if jobs > 0 {
            counter!(names::JOBS_FINISHED_TOTAL, "state" => state).increment(jobs as u64);
            self.endings.wake();
        }
    }

    /// Executors look for themselves, too, but later.
    fn tell(&self, displaced: Displaced) {
        for (merchant, job) in displaced.asked {
            let hints = self.hints.clone();
            tokio::spawn(async move { hints.cancel(Member { merchant, job }).await });
        }
    }
}

/// Judges due jobs with others of their template in their way.
pub struct Overlaps {
    judge: Judge,
    clock: Clock,
    after: Option<OverlapCursor>,
}

impl Overlaps {
    /// Begins at the front.
    pub fn new(judge: Judge, clock: Clock) -> Self {
        Self { judge, clock, after: None }
    }
}

impl Reconcile for Overlaps {
    const NAME: &'static str = "overlaps";
    type Error = StoreError;

    async fn tick(&mut self) -> Result<Progress, StoreError> {
        let page = self.judge.store.due_overlaps(self.clock.now(), self.after, PAGE).await?;
        self.judge.carry_out(&page.judged).await?;
        self.after = page.next;
        Ok(if self.after.is_some() { Progress::More } else { Progress::Idle })
    }
}
