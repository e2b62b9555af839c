//! `GET /v1/freezes`

use crate::extract::{Caller, TemplatesRead};
use crate::problem::Problem;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use scheduler_core::domain::Freeze;
use serde::Serialize;
use utoipa::ToSchema;

/// All freeze windows.
#[derive(Debug, Serialize, ToSchema)]
pub struct Freezes {
    /// In the order of their beginnings, those that are over included.
    data: Vec<Freeze>,
}

/// Freeze windows
#[utoipa::path(
    get, path = "/v1/freezes", tag = "templates",
    responses((status = 200, description = "The merchant's windows.", body = Freezes))
)]
pub async fn list_freezes(app: State<AppState>, caller: Caller<TemplatesRead>) -> Result<Json<Freezes>, Problem> {
    Ok(Json(Freezes { data: app.store.list_freezes(caller.merchant).await? }))
}
