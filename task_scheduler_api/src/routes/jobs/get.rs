//! `GET /v1/jobs/{id}`

use super::find;
use crate::extract::{Caller, JobsRead, PathId};
use crate::problem::Problem;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use scheduler_core::domain::{Job, JobId};

/// A job
///
/// Live or finished, with its payload. `running` shows the attempt under way.
#[utoipa::path(
    get, path = "/v1/jobs/{id}", tag = "jobs",
    params(("id" = uuid::Uuid, Path, description = "The job's id.")),
    responses((status = 200, description = "The job.", body = Job)),
)]
pub async fn get_job(app: State<AppState>, caller: Caller<JobsRead>, id: PathId<JobId>) -> Result<Json<Job>, Problem> {
    find(&app, caller.merchant, id).await.map(Json)
}
