//! `DELETE /v1/calendars/{name}`

use super::{check_name, missing};
use crate::extract::{Caller, PathId, TemplatesWrite};
use crate::problem::Problem;
use crate::routes::templates::etag::{IfMatch, changed};
use crate::state::AppState;
use axum::extract::State;
use axum::http::StatusCode;
use scheduler_core::store::calendars::CalendarDeleted;

/// Delete a calendar
///
/// Refused while templates use it.
#[utoipa::path(
    delete, path = "/v1/calendars/{name}", tag = "calendars",
    params(
        ("name" = String, Path, description = "The calendar's name; escape `/` as `%2F`."),
        ("If-Match" = Option<String>, Header, description = "Delete only the version with this `ETag`"),
    ),
    responses(
        (status = 204, description = "It is gone."),
        (status = 409, description = "`calendar_in_use`: the templates that `detail` names use it."),
        (status = 412, description = "The calendar has another version than `If-Match` allows."),
    )
)]
pub async fn delete_calendar(
    caller: Caller<TemplatesWrite>,
    State(app): State<AppState>,
    PathId(name): PathId<String>,
    if_match: IfMatch,
) -> Result<StatusCode, Problem> {
    check_name(&name)?;
    match app.store.delete_calendar(caller.merchant, &name, if_match.versions()).await? {
        CalendarDeleted::Done => Ok(StatusCode::NO_CONTENT),
        CalendarDeleted::NotFound => Err(missing(&name)),
        CalendarDeleted::VersionMismatch { current } => Err(changed("calendar", current)),
        CalendarDeleted::InUse(templates) => Err(Problem::conflict(
            "calendar_in_use",
            format!("templates use it: {}; change or delete those first", templates.join(", ")),
        )),
    }
}
