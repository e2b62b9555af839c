//! `POST /v1/dead-letters/{id}/redrive`

use crate::extract::{Caller, JobsWrite, PathId};
use crate::problem::Problem;
use crate::state::{App, AppState};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use metrics::counter;
use scheduler_core::domain::{Job, JobId, MerchantId};
use scheduler_core::queue::DueHint;
use scheduler_core::store::dead_letters::{Redrive, RedrivenJob};
use scheduler_core::telemetry::metrics as names;

/// Bring a dead letter back
///
/// As a new job, due now, with all its attempts before it and `redriven_from`. The dead letter stays and shows it.
#[utoipa::path(
    post, path = "/v1/dead-letters/{id}/redrive", tag = "dead letters",
    params(("id" = uuid::Uuid, Path, description = "The dead job's id.")),
    responses(
        (status = 201, description = "The new job.", body = Job, headers(("Location" = String, description = "Its path."))),
        (status = 409, description = "`already_redriven`: an earlier redrive still lives; `duplicate_job`: its `dedupe_key` is taken. `job_id` names the job."),
    ),
)]
pub async fn redrive_dead_letter(
    app: State<AppState>,
    caller: Caller<JobsWrite>,
    id: PathId<JobId>,
) -> Result<(StatusCode, [(HeaderName, HeaderValue); 1], Json<Job>), Problem> {
    let created = redrive_job(&app, caller.merchant, id.0, true).await?;
    let job = app.store.job(caller.merchant, created).await?.ok_or_else(|| Problem::not_found("job", created))?;
    let location = HeaderValue::from_str(&format!("/v1/jobs/{created}")).expect("a UUID is a valid header value");
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(job)))
}

/// Makes a new job of a finished one and wakes the populators; returns its id.
pub async fn redrive_job(app: &App, merchant: MerchantId, job: JobId, only_dead: bool) -> Result<JobId, Problem> {
    match app.store.redrive(merchant, job, only_dead, crate::routes::jobs::now(app)).await? {
        Redrive::Created(created) => {
            announce(app, merchant, std::slice::from_ref(&created));
            Ok(created.id)
        }
        Redrive::Living(living) => {
            let detail = "the job was redriven already and that redrive is still live; `job_id` names it";
            Err(Problem::conflict("already_redriven", detail).with_job(Some(living)))
        }
        Redrive::Duplicate(holder) => {
            let detail = "a live job of the queue has the same dedupe_key; `job_id` names it";
            Err(Problem::conflict("duplicate_job", detail).with_job(Some(holder)))
        }
        Redrive::NotFound => Err(Problem::not_found(if only_dead { "dead letter" } else { "job" }, job)),
    }
}

/// Counts redriven jobs and wakes the populators.
pub(super) fn announce(app: &App, merchant: MerchantId, jobs: &[RedrivenJob]) {
    counter!(names::JOBS_CREATED_TOTAL, "source" => "redrive").increment(jobs.len() as u64);
    let hint = |job: &RedrivenJob| -> Option<DueHint> {
        app.hints.due_hint(job.run_at, (merchant, job.id), job.run_at, job.priority, &job.lane)
    };
    app.hints.due(jobs.iter().filter_map(hint).collect());
}
