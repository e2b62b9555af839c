//! `POST /v1/jobs/{id}/cancel`

use super::{already_finished, find};
use crate::extract::{Caller, JobsWrite, PathId};
use crate::problem::Problem;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use scheduler_core::domain::{Job, JobId, JobState};
use scheduler_core::store::transitions::cancel::Cancel;

/// Call a job off
///
/// A waiting job is cancelled at once (200). A running one is asked to stop (202): its executor ends the attempt, and
/// the job becomes `cancelled` unless it was quicker. Cancelling twice is fine.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/cancel", tag = "jobs",
    params(("id" = uuid::Uuid, Path, description = "The job's id.")),
    responses(
        (status = 200, description = "The job is cancelled.", body = Job),
        (status = 202, description = "The job runs; it was asked to stop.", body = Job),
        (status = 409, description = "`already_finished`: the job has ended otherwise."),
    ),
)]
pub async fn cancel_job(
    app: State<AppState>,
    caller: Caller<JobsWrite>,
    id: PathId<JobId>,
) -> Result<(StatusCode, Json<Job>), Problem> {
    let job = id.0;
    let outcome = app.store.cancel(caller.merchant, job).await?;
    match outcome {
        Cancel::Cancelled { has_dependents: true } => app.hints.ending(),
        Cancel::Requested => app.hints.cancel(caller.merchant, job),
        Cancel::Cancelled { has_dependents: false } | Cancel::NotLive => {}
    }
    let shown = find(&app, caller.merchant, id).await?;
    match (outcome, shown.state) {
        (Cancel::Requested, _) => Ok((StatusCode::ACCEPTED, Json(shown))),
        (_, JobState::Cancelled) => Ok((StatusCode::OK, Json(shown))),
        (_, state) => Err(already_finished(job, state, "; it can no longer be cancelled")),
    }
}
