//! `GET /v1/calendars/{name}`

use super::{check_name, missing};
use crate::extract::{Caller, PathId, TemplatesRead};
use crate::problem::Problem;
use crate::routes::templates::etag::Tagged;
use crate::state::AppState;
use axum::extract::State;
use axum::http::StatusCode;
use scheduler_core::domain::NamedCalendar;

/// A calendar
#[utoipa::path(
    get, path = "/v1/calendars/{name}", tag = "calendars",
    params(("name" = String, Path, description = "The calendar's name; escape `/` as `%2F`.")),
    responses((status = 200, description = "The calendar; `ETag` is its version.", body = NamedCalendar))
)]
pub async fn get_calendar(
    caller: Caller<TemplatesRead>,
    State(app): State<AppState>,
    PathId(name): PathId<String>,
) -> Result<Tagged<NamedCalendar>, Problem> {
    check_name(&name)?;
    let calendar = app.store.calendar(caller.merchant, &name).await?;
    calendar.map(|calendar| Tagged(StatusCode::OK, calendar)).ok_or_else(|| missing(&name))
}
