//! `POST /v1/jobs/batch`

use super::create::{duplicate, unknown_parent};
use super::placing;
use crate::extract::{Caller, JobsWrite, JsonBody, Traceparent};
use crate::idempotency::{self, Idempotency};
use crate::problem::Problem;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use scheduler_core::domain::{FieldError, JobId, JobSpec};
use scheduler_core::store::job_create::{CreateOutcome, KeyedAnswer, NewJob, Placed};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// Errors listed in one answer; the rest follows once these are gone.
const MAX_ERRORS: usize = 100;

/// Many jobs.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateJobs {
    /// The jobs, at least one. `depends_on` may name jobs that exist, not others of this batch.
    jobs: Vec<JobSpec>,
}

/// The new jobs.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedJobs {
    /// In the order of the request.
    jobs: Vec<CreatedJob>,
}

/// A new job.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedJob {
    /// Its id.
    id: Uuid,
}

/// Create many jobs
///
/// All or nothing, with one commit. Errors point at the job: `/jobs/17/target/url`. `depends_on` may only name jobs
/// that exist already.
#[utoipa::path(
    post, path = "/v1/jobs/batch", tag = "jobs",
    request_body(content = CreateJobs, example = json!({"jobs": [
        {"target": {"kind": "http", "url": "https://example.com/hook"}, "payload": {"order": 1}},
        {"target": {"kind": "http", "url": "https://example.com/hook"}, "payload": {"order": 2}}
    ]})),
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 256 bytes of your choice; kept for 72 hours."),
        ("traceparent" = Option<String>, Header, description = "W3C trace context, passed on to the targets."),
    ),
    responses(
        (status = 201, description = "Ids of the jobs, in the order of the request.", body = CreatedJobs),
        (status = 409, description = "`duplicate_job`: a live job has the same `dedupe_key` as one of these."),
    ),
)]
pub async fn create_jobs(
    app: State<AppState>,
    caller: Caller<JobsWrite>,
    trace: Traceparent,
    idempotency: Idempotency,
    body: JsonBody<CreateJobs>,
) -> Result<Response, Problem> {
    let specs = body.value.jobs;
    validate(&app, &specs)?;
    let now = placing::now(&app);
    let key = idempotency.key_for(&app, &body.bytes, now);
    let jobs = placing::place(&app, caller.merchant, specs, trace.0, now).await?;
    let stored = |_: &[Placed]| serde_json::to_string(&answer(&jobs)).expect("ids can be written");
    let keyed = key.as_ref().map(|key| KeyedAnswer { key, status: 201, body: &stored });
    match placing::create_together(&app, caller.merchant, &jobs, keyed, "batch").await? {
        CreateOutcome::Created(_) => Ok((StatusCode::CREATED, Json(answer(&jobs))).into_response()),
        CreateOutcome::KeyTaken(holder) => idempotency::answer(holder),
        CreateOutcome::Duplicate { job_index, holder } => Err(refused_key(&jobs, job_index, holder)),
        CreateOutcome::UnknownParents(parents) => {
            let refused = parents.into_iter().take(MAX_ERRORS);
            let errors =
                refused.flat_map(|parent| unknown_parent(parent, &format!("/jobs/{}", parent.job_index)).errors);
            Err(Problem::invalid(errors.collect()))
        }
    }
}

fn validate(app: &AppState, specs: &[JobSpec]) -> Result<(), Problem> {
    let most = app.settings.api.batch_max_jobs;
    if specs.is_empty() || specs.len() > most {
        return Err(Problem::invalid_field("/jobs", format!("must hold 1 to {most} jobs, not {}", specs.len())));
    }
    let each = specs.iter().enumerate();
    let errors = each.flat_map(|(index, spec)| {
        let prefix = format!("/jobs/{index}");
        placing::validate(app, spec).into_iter().map(move |error| error.under(&prefix))
    });
    Problem::check(errors.take(MAX_ERRORS).collect())
}

/// 409 for a job whose `dedupe_key` is not free.
fn refused_key(jobs: &[NewJob], index: usize, holder: Option<JobId>) -> Problem {
    let same =
        |job: &NewJob| job.spec.queue == jobs[index].spec.queue && job.spec.dedupe_key == jobs[index].spec.dedupe_key;
    let twin = jobs.iter().enumerate().position(|(other, job)| other != index && same(job));
    let (problem, detail) = match twin {
        Some(twin) if holder.is_none() => (
            Problem::conflict("duplicate_job", "two jobs of the batch have the same queue and dedupe_key; send one"),
            format!("is the same as that of /jobs/{twin}"),
        ),
        _ => (duplicate(holder), "is held by a live job".to_owned()),
    };
    Problem { errors: vec![FieldError::new(format!("/jobs/{index}/dedupe_key"), detail)], ..problem }
}

fn answer(jobs: &[NewJob]) -> CreatedJobs {
    CreatedJobs { jobs: jobs.iter().map(|job| CreatedJob { id: job.id.0 }).collect() }
}
