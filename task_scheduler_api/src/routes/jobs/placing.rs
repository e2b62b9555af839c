//! From validated specs to new jobs, and the way into the database that all or nothing takes.

use crate::problem::Problem;
use crate::state::{App, AppState};
use chrono::{DateTime, TimeDelta, Utc};
use metrics::counter;
use scheduler_core::domain::{FieldError, JobSpec, MerchantId};
use scheduler_core::store::job_create::{CreateOutcome, CreateTogether, KeyedAnswer, NewJob, Placed};
use scheduler_core::telemetry::metrics as names;
use std::collections::BTreeSet;
use std::time::Duration;

/// Pauses before a create that the database did not answer is tried once more.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(500)];

/// Now, but surely not in the database's future: a job for now must be due when it is written.
pub fn now(app: &App) -> DateTime<Utc> {
    app.clock.now() - TimeDelta::from_std(app.clock.error()).unwrap_or_default()
}

/// Everything wrong with a job; the payload's size is a setting.
pub fn validate(app: &App, spec: &JobSpec) -> Vec<FieldError> {
    let mut errors = spec.validate();
    let limit = app.settings.api.payload_limit_bytes;
    if spec.payload.as_ref().is_some_and(|raw| raw.get().len() > limit) {
        errors.push(FieldError::new(
            "/payload",
            format!("larger than {limit} bytes; store it elsewhere and send where it is"),
        ));
    }
    errors
}

/// The jobs of some specs, each with its lane; makes queues that are new.
pub async fn place(
    app: &AppState,
    merchant: MerchantId,
    specs: Vec<JobSpec>,
    traceparent: Option<String>,
    now: DateTime<Utc>,
) -> Result<Vec<NewJob>, Problem> {
    let queues: BTreeSet<&str> = specs.iter().map(|spec| spec.queue.as_str()).collect();
    let lanes = app.lanes.of(&app.store, merchant, queues).await?;
    let new_job = |spec: JobSpec| {
        let lane = lanes.get(&spec.queue).cloned().unwrap_or_else(|| "default".to_owned());
        NewJob::from_spec(spec, merchant, lane, now, traceparent.clone())
    };
    Ok(specs.into_iter().map(new_job).collect())
}

/// Creates jobs in one transaction. A lost answer of the database is followed up, by the ids, before anybody is told.
pub async fn create_together(
    app: &App,
    merchant: MerchantId,
    jobs: &[NewJob],
    key: Option<KeyedAnswer<'_>>,
    source: &'static str,
) -> Result<CreateOutcome, Problem> {
    let mut pauses = PAUSES.into_iter();
    let mut again = false;
    let outcome = loop {
        match app.store.create_together(&CreateTogether { merchant, jobs, key, again }).await {
            Ok(outcome) => break outcome,
            Err(error) if error.is_unavailable() => match pauses.next() {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(error.into()),
            },
            Err(error) => return Err(error.into()),
        }
        again = true;
    };
    if let CreateOutcome::Created(placed) = &outcome {
        announce(app, jobs, placed, source);
    }
    Ok(outcome)
}

fn announce(app: &App, jobs: &[NewJob], placed: &[Placed], source: &'static str) {
    counter!(names::JOBS_CREATED_TOTAL, "source" => source).increment(jobs.len() as u64);
    let scheduled = jobs.iter().zip(placed).filter(|(_, placed)| **placed == Placed::Scheduled);
    let hint = |(job, _): (&NewJob, &Placed)| {
        app.hints.due_hint(job.created_at, (job.merchant, job.id), job.run_at, job.spec.priority, &job.lane)
    };
    app.hints.due(scheduled.filter_map(hint).collect());
}
