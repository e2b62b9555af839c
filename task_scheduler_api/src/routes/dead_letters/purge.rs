//! `DELETE /v1/dead-letters/{id}`

use crate::extract::{Caller, JobsWrite, PathId};
use crate::problem::Problem;
use crate::state::AppState;
use axum::extract::State;
use axum::http::StatusCode;
use scheduler_core::domain::JobId;

/// Remove a dead letter for good
///
/// With its executions, before its retention ends.
#[utoipa::path(
    delete, path = "/v1/dead-letters/{id}", tag = "dead letters",
    params(("id" = uuid::Uuid, Path, description = "The dead job's id.")),
    responses((status = 204, description = "It is gone.")),
)]
pub async fn purge_dead_letter(
    app: State<AppState>,
    caller: Caller<JobsWrite>,
    id: PathId<JobId>,
) -> Result<StatusCode, Problem> {
    let PathId(id) = id;
    if app.store.purge_dead_letter(caller.merchant, id).await? {
        tracing::info!(merchant = %caller.merchant, key = caller.key_id, job = %id, "a dead letter was purged");
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found("dead letter", id))
    }
}
