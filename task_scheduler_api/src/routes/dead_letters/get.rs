//! `GET /v1/dead-letters/{id}`

use super::{DeadLetter, with_redrives};
use crate::extract::{Caller, JobsRead, PathId};
use crate::problem::Problem;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use scheduler_core::domain::{JobId, JobState};

/// A dead letter
#[utoipa::path(
    get, path = "/v1/dead-letters/{id}", tag = "dead letters",
    params(("id" = uuid::Uuid, Path, description = "The dead job's id.")),
    responses((status = 200, description = "The dead letter.", body = DeadLetter)),
)]
pub async fn get_dead_letter(
    app: State<AppState>,
    caller: Caller<JobsRead>,
    id: PathId<JobId>,
) -> Result<Json<DeadLetter>, Problem> {
    let PathId(id) = id;
    let job = app.store.job(caller.merchant, id).await?.filter(|job| job.state == JobState::Dead);
    let letters = with_redrives(&app, caller.merchant, job.into_iter().collect()).await?;
    letters.into_iter().next().map(Json).ok_or_else(|| Problem::not_found("dead letter", id))
}
