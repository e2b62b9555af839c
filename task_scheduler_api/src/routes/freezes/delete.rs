//! `DELETE /v1/freezes/{name}`

use crate::extract::{Caller, PathId, TemplatesWrite};
use crate::problem::Problem;
use crate::state::AppState;
use axum::extract::State;
use axum::http::StatusCode;

/// Delete a freeze window
///
/// Occurrences to come are planned as if it had never been. What it holds already, because the nominal time has passed,
/// starts when the window would have ended.
#[utoipa::path(
    delete, path = "/v1/freezes/{name}", tag = "templates",
    params(("name" = String, Path, description = "The window's name")),
    responses((status = 204, description = "It is gone."))
)]
pub async fn delete_freeze(
    app: State<AppState>,
    caller: Caller<TemplatesWrite>,
    PathId(name): PathId<String>,
) -> Result<StatusCode, Problem> {
    if app.store.delete_freeze(caller.merchant, &name).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::new(StatusCode::NOT_FOUND, "not_found", "there is no freeze window of this name"))
    }
}
