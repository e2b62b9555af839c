//! `POST /v1/backfills/{id}/pause`

use super::change;
use crate::extract::{Caller, PathId, TemplatesWrite};
use crate::problem::Problem;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use scheduler_core::domain::{Backfill, BackfillId};
use scheduler_core::store::backfills::BackfillChange;

/// Pause a backfill
///
/// It makes no more jobs until it is resumed; those that it has made go on. Pausing a paused one changes nothing.
#[utoipa::path(
    post, path = "/v1/backfills/{id}/pause", tag = "backfills",
    params(("id" = uuid::Uuid, Path, description = "The backfill's id")),
    responses(
        (status = 200, description = "The backfill, which makes no more jobs.", body = Backfill),
        (status = 409, description = "`already_ended`: it is over."),
    )
)]
pub async fn pause_backfill(
    caller: Caller<TemplatesWrite>,
    State(app): State<AppState>,
    PathId(id): PathId<BackfillId>,
) -> Result<Json<Backfill>, Problem> {
    Ok(Json(change(&app, caller.merchant, id, BackfillChange::Pause).await?))
}
