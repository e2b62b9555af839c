//! The one duty of this service: templates that are due soon get their occurrences and jobs.

use chrono::TimeDelta;
use metrics::{counter, gauge};
use scheduler_core::clock::Clock;
use scheduler_core::config::Settings;
use scheduler_core::queue::{DueHint, HintSender, Member};
use scheduler_core::reconcile::{Progress, Reconcile};
use scheduler_core::store::Store;
use scheduler_core::store::StoreError;
use scheduler_core::store::materialise::{MaterialiseOptions, Materialised, MaterialisedJob};
use scheduler_core::telemetry::metrics as names;

/// Jobs due within this time are announced to the populators. Later ones are found by the sweeps that come before
/// their time anyway.
const ANNOUNCE_WITHIN: TimeDelta = TimeDelta::seconds(10);

/// Plans ahead, one bounded transaction a tick.
pub struct Materialiser {
    store: Store,
    clock: Clock,
    hints: HintSender,
    options: MaterialiseOptions,
}

impl Materialiser {
    /// A materialiser over this store and clock.
    pub fn new(store: Store, clock: Clock, hints: HintSender, settings: &Settings) -> Self {
        let recurrence = &settings.recurrence;
        let options = MaterialiseOptions {
            lookahead: recurrence.lookahead,
            templates: recurrence.batch_templates,
            occurrences: recurrence.max_occurrences_per_tick,
        };
        Self { store, clock, hints, options }
    }

    /// Tells the populators what is due soon, beside the loop: a Redis that does not answer must not hold it up.
    fn announce(&self, jobs: &[MaterialisedJob]) {
        let soon = self.clock.now() + ANNOUNCE_WITHIN;
        let due: Vec<_> = jobs.iter().filter(|job| job.run_at <= soon).map(hint).collect();
        if due.is_empty() {
            return;
        }
        let hints = self.hints.clone();
        tokio::spawn(async move { hints.due(&due).await });
    }
}

impl Reconcile for Materialiser {
    const NAME: &'static str = "materialise";
    type Error = StoreError;

    async fn tick(&mut self) -> Result<Progress, StoreError> {
        let done = self.store.materialise(self.clock.now(), &self.options).await?;
        self.announce(&done.jobs);
        report(&done);
        Ok(if done.more { Progress::More } else { Progress::Idle })
    }
}

fn hint(job: &MaterialisedJob) -> DueHint {
    DueHint {
        member: Member { merchant: job.merchant, job: job.job },
        run_at: job.run_at,
        // The database holds 0 to 9.
        priority: u8::try_from(job.priority).unwrap_or(9),
        lane: job.lane.clone(),
    }
}

/// Metrics and log lines of one tick.
fn report(done: &Materialised) {
    gauge!(names::RECURRENCE_LAG_SECONDS).set(done.lag.as_secs_f64());
    counter!(names::OCCURRENCES_CREATED_TOTAL, "outcome" => "job").increment(done.jobs.len() as u64);
    counter!(names::OCCURRENCES_CREATED_TOTAL, "outcome" => "missed").increment(done.missed as u64);
    counter!(names::JOBS_CREATED_TOTAL, "source" => "template").increment(done.jobs.len() as u64);
    for error in &done.broken {
        tracing::error!(%error, "a template cannot be planned; it is left alone for a minute and loses nothing by it");
    }
    if done.missed > 0 {
        tracing::warn!(missed = done.missed, lag_seconds = done.lag.as_secs_f64(), "occurrences were missed");
    }
    if done.templates > 0 {
        tracing::debug!(templates = done.templates, jobs = done.jobs.len(), missed = done.missed, "planned");
    }
}
