//! The one duty of this service: templates that are due soon get their occurrences and jobs.

use crate::announce::Announcer;
use metrics::{counter, gauge};
use scheduler_core::clock::Clock;
use scheduler_core::config::Settings;
use scheduler_core::domain::OccurrenceOutcome;
use scheduler_core::reconcile::{Progress, Reconcile};
use scheduler_core::store::Store;
use scheduler_core::store::StoreError;
use scheduler_core::store::materialise::{MaterialiseOptions, Materialised};
use scheduler_core::telemetry::metrics as names;

/// Plans ahead, one bounded transaction a tick.
pub struct Materialiser {
    store: Store,
    clock: Clock,
    announcer: Announcer,
    options: MaterialiseOptions,
}

impl Materialiser {
    /// A materialiser over this store and clock.
    pub fn new(store: Store, clock: Clock, announcer: Announcer, settings: &Settings) -> Self {
        let recurrence = &settings.recurrence;
        let options = MaterialiseOptions {
            lookahead: recurrence.lookahead,
            templates: recurrence.batch_templates,
            occurrences: recurrence.max_occurrences_per_tick,
        };
        Self { store, clock, announcer, options }
    }
}

impl Reconcile for Materialiser {
    const NAME: &'static str = "materialise";
    type Error = StoreError;

    async fn tick(&mut self) -> Result<Progress, StoreError> {
        let done = self.store.materialise(self.clock.now(), &self.options).await?;
        self.announcer.announce(&done.jobs);
        report(&done);
        Ok(if done.more { Progress::More } else { Progress::Idle })
    }
}

/// Metrics and log lines of one tick.
fn report(done: &Materialised) {
    gauge!(names::RECURRENCE_LAG_SECONDS).set(done.lag.as_secs_f64());
    counter!(names::OCCURRENCES_CREATED_TOTAL, "outcome" => "job").increment(done.jobs.len() as u64);
    for (outcome, count) in &done.without_job {
        counter!(names::OCCURRENCES_CREATED_TOTAL, "outcome" => outcome.as_str()).increment(*count as u64);
    }
    counter!(names::JOBS_CREATED_TOTAL, "source" => "template").increment(done.jobs.len() as u64);
    for error in &done.broken {
        tracing::error!(%error, "a template cannot be planned; it is left alone for a minute and loses nothing by it");
    }
    let missed = done.without_job.get(&OccurrenceOutcome::MissedWindow).copied().unwrap_or(0);
    if missed > 0 {
        tracing::warn!(missed, lag_seconds = done.lag.as_secs_f64(), "occurrences were missed");
    }
    if done.templates > 0 {
        tracing::debug!(templates = done.templates, jobs = done.jobs.len(), missed, "planned");
    }
}
