//! `GET /v1/backfills`

use crate::extract::{Caller, Query, TemplatesRead};
use crate::paging::{List, Page, Paging};
use crate::problem::Problem;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use scheduler_core::domain::{Backfill, BackfillId, BackfillState, TemplateId};
use scheduler_core::store::backfills::BackfillQuery;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

/// The parameters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// Only those of this template.
    template: Option<Uuid>,
    /// Only those in this state.
    #[param(inline)]
    state: Option<BackfillState>,
    /// Rows of a page, 1 to 200 (default 50).
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Backfills, newest first
#[utoipa::path(
    get, path = "/v1/backfills", tag = "backfills",
    params(Parameters),
    responses((status = 200, description = "A page of backfills.", body = Page<Backfill>))
)]
pub async fn list_backfills(
    caller: Caller<TemplatesRead>,
    State(app): State<AppState>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Page<Backfill>>, Problem> {
    let paging = Paging { limit: parameters.limit, cursor: parameters.cursor };
    let limit = paging.limit()?;
    let query = BackfillQuery {
        template: parameters.template.map(TemplateId),
        state: parameters.state,
        before: paging.after::<Uuid>(List::Backfills)?.map(BackfillId),
        limit: limit as i64 + 1,
    };
    let rows = app.store.list_backfills(caller.merchant, &query).await?;
    Ok(Json(Page::of(List::Backfills, rows, limit, |backfill: &Backfill| backfill.id.0)))
}
