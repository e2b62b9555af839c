//! `POST /v1/incidents/{id}/resolve`

use super::found;
use crate::extract::{Caller, JobsWrite, PathId};
use crate::problem::Problem;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use scheduler_core::domain::Incident;
use uuid::Uuid;

/// Resolve an incident
///
/// It is over; the receiver of alerts is told so. The next alert of its key opens another one. Doing it again changes
/// nothing.
#[utoipa::path(
    post, path = "/v1/incidents/{id}/resolve", tag = "incidents",
    params(("id" = Uuid, Path, description = "The incident's id.")),
    responses((status = 200, description = "The incident.", body = Incident)),
)]
pub async fn resolve_incident(
    app: State<AppState>,
    caller: Caller<JobsWrite>,
    PathId(id): PathId<Uuid>,
) -> Result<Json<Incident>, Problem> {
    found(app.store.resolve_incident(caller.merchant, id).await?, id)
}
