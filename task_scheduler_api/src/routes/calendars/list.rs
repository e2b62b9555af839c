//! `GET /v1/calendars`

use crate::extract::{Caller, Query, TemplatesRead};
use crate::paging::{List, Page, Paging};
use crate::problem::Problem;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use scheduler_core::domain::NamedCalendar;

/// Calendars by name
#[utoipa::path(
    get, path = "/v1/calendars", tag = "calendars",
    params(Paging),
    responses((status = 200, description = "A page of calendars.", body = Page<NamedCalendar>))
)]
pub async fn list_calendars(
    caller: Caller<TemplatesRead>,
    State(app): State<AppState>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<NamedCalendar>>, Problem> {
    let (limit, after) = (paging.limit()?, paging.after::<String>(List::Calendars)?);
    let calendars = app.store.list_calendars(caller.merchant, after.as_deref(), limit + 1).await?;
    Ok(Json(Page::of(List::Calendars, calendars, limit, |calendar| calendar.name.clone())))
}
