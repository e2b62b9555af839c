//! `POST /v1/jobs/{id}/run-now`

use super::{already_finished, find};
use crate::extract::{Caller, JobsWrite, PathId};
use crate::problem::Problem;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use scheduler_core::domain::{Job, JobId, JobState, MerchantId};
use scheduler_core::store::transitions::run_now::RunNow;

/// Start a waiting job at once
///
/// Moves `run_at` of a `scheduled` or `retrying` job to now; `scheduled_for` stays.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/run-now", tag = "jobs",
    params(("id" = uuid::Uuid, Path, description = "The job's id.")),
    responses(
        (status = 200, description = "The job is due.", body = Job),
        (status = 409, description = "`already_running`, `already_finished` (use retry), or `not_waiting`."),
    ),
)]
pub async fn run_job_now(
    app: State<AppState>,
    caller: Caller<JobsWrite>,
    id: PathId<JobId>,
) -> Result<Json<Job>, Problem> {
    let job = id.0;
    make_due(&app, caller.merchant, job).await?;
    find(&app, caller.merchant, id).await.map(Json)
}

/// The work of it, which retry shares.
pub(super) async fn make_due(app: &AppState, merchant: MerchantId, job: JobId) -> Result<(), Problem> {
    match app.store.run_now(merchant, job).await? {
        RunNow::Due(due) => {
            let hint = app.hints.due_hint(app.clock.now(), (merchant, job), due.run_at, due.priority, &due.lane);
            app.hints.due(hint.into_iter().collect());
            Ok(())
        }
        RunNow::Running => Err(Problem::conflict("already_running", "the job runs already").with_job(Some(job))),
        RunNow::NotWaiting(state) => Err(not_waiting(job, state)),
        RunNow::NotLive => match app.store.job_state(merchant, job).await? {
            None => Err(Problem::not_found("job", job)),
            Some(state) => Err(already_finished(job, state, "; use retry to run it once more")),
        },
    }
}

fn not_waiting(job: JobId, state: JobState) -> Problem {
    let detail = match state {
        JobState::Blocked => "the job waits for other jobs, not for a time",
        _ => "the job's last attempt failed a moment ago and is being judged; try again",
    };
    Problem::conflict("not_waiting", detail).with_job(Some(job))
}
