//! `POST /v1/jobs/{id}/retry`

use super::run_now::make_due;
use super::{find, location};
use crate::extract::{Caller, JobsWrite, PathId};
use crate::problem::Problem;
use crate::routes::dead_letters::redrive_job;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use scheduler_core::domain::{Job, JobId, JobState};

/// Try a job again
///
/// Of a `retrying` job the next attempt starts now (200). Of a job that has ended a new one is made, due now, with
/// `redriven_from` (201); the ended one stays as it is.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/retry", tag = "jobs",
    params(("id" = uuid::Uuid, Path, description = "The job's id.")),
    responses(
        (status = 200, description = "The next attempt is due.", body = Job),
        (status = 201, description = "The new job.", body = Job, headers(("Location" = String, description = "Its path."))),
        (status = 409, description = "`not_tried_yet`, `already_running`, `not_waiting`, `already_redriven` or `duplicate_job`; `job_id` names the job that is in the way."),
    ),
)]
pub async fn retry_job(
    app: State<AppState>,
    caller: Caller<JobsWrite>,
    id: PathId<JobId>,
) -> Result<Response, Problem> {
    let PathId(job) = id;
    let state = app.store.job_state(caller.merchant, job).await?;
    match state {
        None => Err(Problem::not_found("job", job)),
        Some(JobState::Scheduled) => Err(Problem::conflict(
            "not_tried_yet",
            "the job has not been tried yet, so there is nothing to retry; run-now starts it at once",
        )
        .with_job(Some(job))),
        Some(state) if state.is_terminal() => {
            let created = redrive_job(&app, caller.merchant, job, false).await?;
            let shown = find(&app, caller.merchant, PathId(created)).await?;
            Ok((StatusCode::CREATED, location(created), Json(shown)).into_response())
        }
        Some(_) => {
            make_due(&app, caller.merchant, job).await?;
            Ok(Json(find(&app, caller.merchant, PathId(job)).await?).into_response())
        }
    }
}
