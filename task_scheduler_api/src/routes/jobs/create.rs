//! `POST /v1/jobs`

use super::{location, placing};
use crate::extract::{Caller, JobsWrite, JsonBody, Traceparent};
use crate::idempotency::{self, Idempotency};
use crate::ingest::Ingested;
use crate::problem::Problem;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use scheduler_core::domain::{Job, JobId, JobSpec};
use scheduler_core::planted::planted;
use scheduler_core::store::idempotency::{IdempotencyKey, StoredAnswer};
use scheduler_core::store::job_create::{CreateOutcome, KeyedAnswer, NewJob, Placed, Single, UnknownParent};
use std::sync::Arc;

/// Live jobs hold a `dedupe_key`.
pub(super) fn duplicate(holder: Option<JobId>) -> Problem {
    let detail = match holder {
        Some(_) => "a live job of the queue has the same dedupe_key; `job_id` names it",
        None => "a live job of the queue had the same dedupe_key a moment ago and has ended since; try again",
    };
    Problem::conflict("duplicate_job", detail).with_job(holder)
}

pub(super) fn unknown_parent(parent: UnknownParent, prefix: &str) -> Problem {
    let pointer = format!("{prefix}/depends_on/{}", parent.parent_index);
    Problem::invalid_field(pointer, "there is no job with this id; parents must exist before their children")
}

/// Create a job
///
/// Answered once the job is safe on disk. Without `run_at` and `delay_seconds` it is due at once. Jobs in `depends_on`
/// must exist already. With an `Idempotency-Key` header a repeated request gets the first answer again
/// (`Idempotency-Replayed: true`).
#[utoipa::path(
    post, path = "/v1/jobs", tag = "jobs",
    request_body(content = JobSpec, example = json!({
        "queue": "default", "delay_seconds": 10,
        "target": {"kind": "http", "url": "https://example.com/hook"}, "payload": {"order": 4711}
    })),
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 256 bytes of your choice; kept for 72 hours."),
        ("traceparent" = Option<String>, Header, description = "W3C trace context, passed on to the target."),
    ),
    responses(
        (status = 201, description = "The job.", body = Job, headers(("Location" = String, description = "Its path."))),
        (status = 409, description = "`duplicate_job`: a live job has the same `dedupe_key`; `job_id` names it."),
    ),
)]
pub async fn create_job(
    app: State<AppState>,
    caller: Caller<JobsWrite>,
    trace: Traceparent,
    idempotency: Idempotency,
    body: JsonBody<JobSpec>,
) -> Result<Response, Problem> {
    Problem::check(placing::validate(&app, &body.value))?;
    let now = placing::now(&app);
    let key = idempotency.key_for(&app, &body.bytes, now);
    if planted("idempotency_unscoped")
        && let Some(key) = &key
        && let Some(holder) = app.store.idempotency_holder(caller.merchant, key).await?
    {
        return idempotency::answer(holder);
    }
    let lane = app.lanes.one(&app.store, caller.merchant, &body.value.queue).await?;
    let job = NewJob::from_spec(body.value, caller.merchant, lane, now, trace.0);
    // Its transaction has to do more than insert: parents to look at, or two keys that must not part.
    if !job.spec.depends_on.is_empty() || (key.is_some() && job.spec.dedupe_key.is_some()) {
        create_alone(&app, job, key).await
    } else {
        create_grouped(&app, job, key).await
    }
}

async fn create_grouped(app: &AppState, job: NewJob, key: Option<IdempotencyKey>) -> Result<Response, Problem> {
    let key = key.map(|key| (key, StoredAnswer { status: 201, body: body(&job, Placed::Scheduled) }));
    let single = Arc::new(Single { job, key });
    match app.ingest.create(Arc::clone(&single)).await? {
        Ingested::Created => Ok(created(&single.job, Placed::Scheduled)),
        Ingested::KeyTaken(holder) => idempotency::answer(holder),
        Ingested::Duplicate(holder) => Err(duplicate(holder)),
        Ingested::Refused(problem) => Err(problem),
    }
}

async fn create_alone(app: &AppState, job: NewJob, key: Option<IdempotencyKey>) -> Result<Response, Problem> {
    let stored = |placed: &[Placed]| placed.first().map(|placed| body(&job, *placed)).unwrap_or_default();
    let key = key.as_ref().map(|key| KeyedAnswer { key, status: 201, body: &stored });
    match placing::create_together(app, job.merchant, std::slice::from_ref(&job), key, "api").await? {
        CreateOutcome::Created(placed) => Ok(created(&job, placed.first().copied().unwrap_or(Placed::Scheduled))),
        CreateOutcome::KeyTaken(holder) => idempotency::answer(holder),
        CreateOutcome::Duplicate { holder, .. } => Err(duplicate(holder)),
        CreateOutcome::UnknownParents(parents) => {
            let errors = parents.into_iter().flat_map(|parent| unknown_parent(parent, "").errors).collect();
            Err(Problem::invalid(errors))
        }
    }
}

fn created(job: &NewJob, placed: Placed) -> Response {
    (StatusCode::CREATED, location(job.id), Json(job.to_job(placed))).into_response()
}

fn body(job: &NewJob, placed: Placed) -> String {
    serde_json::to_string(&job.to_job(placed)).expect("a job has string keys and finite numbers only")
}
