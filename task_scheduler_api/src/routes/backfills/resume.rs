//! `POST /v1/backfills/{id}/resume`

use super::change;
use crate::extract::{Caller, PathId, TemplatesWrite};
use crate::problem::Problem;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use scheduler_core::domain::{Backfill, BackfillId};
use scheduler_core::store::backfills::BackfillChange;

/// Resume a backfill
///
/// It goes on where it stopped. Resuming a running one changes nothing.
#[utoipa::path(
    post, path = "/v1/backfills/{id}/resume", tag = "backfills",
    params(("id" = uuid::Uuid, Path, description = "The backfill's id")),
    responses(
        (status = 200, description = "The backfill, which runs.", body = Backfill),
        (status = 409, description = "`already_ended`: it is over."),
    )
)]
pub async fn resume_backfill(
    caller: Caller<TemplatesWrite>,
    State(app): State<AppState>,
    PathId(id): PathId<BackfillId>,
) -> Result<Json<Backfill>, Problem> {
    Ok(Json(change(&app, caller.merchant, id, BackfillChange::Resume).await?))
}
