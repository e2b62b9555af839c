//! `POST /v1/backfills/{id}/cancel`

use super::change;
use crate::extract::{Caller, PathId, TemplatesWrite};
use crate::problem::Problem;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use scheduler_core::domain::{Backfill, BackfillId};
use scheduler_core::store::backfills::BackfillChange;

/// Cancel a backfill
///
/// It makes no more jobs. Those that have not started are cancelled (reason `backfill_cancelled`), and their nominal times become
/// what they were before; those that have started go on. Cancelling a cancelled one changes nothing.
#[utoipa::path(
    post, path = "/v1/backfills/{id}/cancel", tag = "backfills",
    params(("id" = uuid::Uuid, Path, description = "The backfill's id")),
    responses(
        (status = 200, description = "The backfill, which is over.", body = Backfill),
        (status = 409, description = "`already_ended`: it is over."),
    )
)]
pub async fn cancel_backfill(
    caller: Caller<TemplatesWrite>,
    State(app): State<AppState>,
    PathId(id): PathId<BackfillId>,
) -> Result<Json<Backfill>, Problem> {
    Ok(Json(change(&app, caller.merchant, id, BackfillChange::Cancel).await?))
}
