//! `GET /v1/incidents/{id}`

use super::found;
use crate::extract::{Caller, JobsRead, PathId};
use crate::problem::Problem;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use scheduler_core::domain::Incident;
use uuid::Uuid;

/// An incident
#[utoipa::path(
    get, path = "/v1/incidents/{id}", tag = "incidents",
    params(("id" = Uuid, Path, description = "The incident's id, as its alerts name it.")),
    responses((status = 200, description = "The incident.", body = Incident)),
)]
pub async fn get_incident(
    app: State<AppState>,
    caller: Caller<JobsRead>,
    PathId(id): PathId<Uuid>,
) -> Result<Json<Incident>, Problem> {
    found(app.store.incident(caller.merchant, id).await?, id)
}
