//! `GET /v1/backfills/{id}`

use super::not_found;
use crate::extract::{Caller, PathId, TemplatesRead};
use crate::problem::Problem;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use scheduler_core::domain::{Backfill, BackfillId};

/// A backfill and how far it is
#[utoipa::path(
    get, path = "/v1/backfills/{id}", tag = "backfills",
    params(("id" = uuid::Uuid, Path, description = "The backfill's id")),
    responses((status = 200, description = "The backfill.", body = Backfill))
)]
pub async fn get_backfill(
    caller: Caller<TemplatesRead>,
    State(app): State<AppState>,
    PathId(id): PathId<BackfillId>,
) -> Result<Json<Backfill>, Problem> {
    Ok(Json(app.store.backfill(caller.merchant, id).await?.ok_or_else(|| not_found(id))?))
}
