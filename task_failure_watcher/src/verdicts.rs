//! Decides what follows a failed attempt: another one, or the dead letter and its alert.

use crate::announcer::Announcer;
use crate::halving::in_halves;
use crate::stores::Stores;
use scheduler_core::config::Settings;
use scheduler_core::domain::backoff::{Backoff, Verdict, judge};
use scheduler_core::reconcile::{Progress, Reconcile, Wake};
use scheduler_core::store::StoreError;
use scheduler_core::store::transitions::verdict::{
    BurialOrder, Buried, FailedCursor, FailedJob, FailureKey, Retried, RetryOrder,
};
use scheduler_core::telemetry::metrics as names;

/// What the duty needs to know.
#[derive(Clone, Copy, Debug)]
pub struct VerdictsConfig {
    /// Jobs per statement.
    pub batch: usize,
    /// Chance, uniform in 0..1, for the jitter. A test brings its own.
    pub chance: fn() -> f64,
}

impl VerdictsConfig {
    /// As the settings say.
    pub fn of(settings: &Settings) -> Self {
        Self { batch: settings.watcher.batch, chance: rand::random }
    }
}

/// Goes through the failed jobs, the longest failed first, a page at a time.
pub struct Verdicts {
    stores: Stores,
    announcer: Announcer,
    config: VerdictsConfig,
    alerts: Wake,
    cursor: Option<FailedCursor>,
}

/// The verdicts about one page, by what they lead to.
#[derive(Debug, Default)]
struct Orders {
    retry: Vec<RetryOrder>,
    bury: Vec<BurialOrder>,
    call_off: Vec<FailureKey>,
}

impl Verdicts {
    /// The duty; `alerts` is woken when a job died.
    pub fn new(stores: &Stores, announcer: Announcer, config: VerdictsConfig, alerts: Wake) -> Self {
        Self { stores: stores.clone(), announcer, config, alerts, cursor: None }
    }

    fn judge_all(&self, jobs: &[FailedJob]) -> Orders {
        let mut orders = Orders::default();
        for job in jobs {
            if job.called_off {
                orders.call_off.push(job.key);
                continue;
            }
            let verdict = self.judge(job);
            match (verdict, verdict.reason()) {
                (Verdict::Retry(delay), _) => orders.retry.push(RetryOrder { key: job.key, delay }),
                (_, reason) => orders.bury.push(BurialOrder { key: job.key, reason: reason.unwrap_or("exhausted") }),
            }
        }
        orders
    }

    fn judge(&self, job: &FailedJob) -> Verdict {
        let backoff = match &job.backoff {
            Ok(own) => own.unwrap_or_default(),
            Err(error) => {
                tracing::error!(%error, merchant_id = %job.key.merchant, job_id = %job.key.job,
                                "a retry policy cannot be read; the default one is used");
                Backoff::default()
            }
        };
        let chance = (self.config.chance)();
        judge(&backoff, job.failures, job.max_attempts, job.retryable, job.asked_wait, chance)
    }

    async fn retry(&self, orders: &[RetryOrder]) -> Result<(), StoreError> {
        let edges = &self.stores.edges;
        let written: Vec<Vec<Retried>> = in_halves(orders, |part| {
            let edges = edges.clone();
            Box::pin(async move { edges.retry(part).await })
        })
        .await?;
        for retried in written {
            metrics::counter!(names::JOBS_RETRIED_TOTAL).increment(retried.len() as u64);
            self.announcer.due(&retried).await;
        }
        Ok(())
    }

    async fn bury(&self, orders: &[BurialOrder]) -> Result<(), StoreError> {
        let edges = &self.stores.edges;
        let written: Vec<Buried> = in_halves(orders, |part| {
            let edges = edges.clone();
            Box::pin(async move { edges.bury(part).await })
        })
        .await?;
        for buried in written {
            for reason in &buried.reasons {
                metrics::counter!(names::JOBS_DEAD_TOTAL, "reason" => reason.clone()).increment(1);
            }
            if !buried.reasons.is_empty() {
                metrics::counter!(names::JOBS_FINISHED_TOTAL, "state" => "dead").increment(buried.reasons.len() as u64);
                self.alerts.wake();
            }
            self.announcer.ended(buried.has_dependents).await;
        }
        Ok(())
    }

    async fn call_off(&self, failures: &[FailureKey]) -> Result<(), StoreError> {
        let edges = &self.stores.edges;
        let written: Vec<Buried> = in_halves(failures, |part| {
            let edges = edges.clone();
            Box::pin(async move { edges.call_off(part).await })
        })
        .await?;
        for ended in written {
            metrics::counter!(names::JOBS_FINISHED_TOTAL, "state" => "cancelled").increment(ended.reasons.len() as u64);
            self.announcer.ended(ended.has_dependents).await;
        }
        Ok(())
    }
}

impl Reconcile for Verdicts {
    const NAME: &'static str = "verdicts";
    type Error = StoreError;

    async fn tick(&mut self) -> Result<Progress, StoreError> {
        let page = self.stores.edges.failed_jobs(self.cursor, self.config.batch).await?;
        let orders = self.judge_all(&page);
        self.retry(&orders.retry).await?;
        self.bury(&orders.bury).await?;
        self.call_off(&orders.call_off).await?;
        let progress = Progress::of_batch(page.len(), self.config.batch);
        // What could not be written is passed over until the next round.
        self.cursor = page.last().filter(|_| progress == Progress::More).map(FailedJob::cursor);
        Ok(progress)
    }
}
