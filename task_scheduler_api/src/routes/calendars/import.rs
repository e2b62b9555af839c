//! `POST /v1/calendars/{name}/import`

use super::body::imported;
use super::create::created;
use super::{change, missing, name_taken};
use crate::extract::{Caller, PathId, TemplatesWrite, TextBody};
use crate::problem::Problem;
use crate::routes::jobs;
use crate::routes::templates::etag::{IfMatch, Tagged, changed};
use crate::state::AppState;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use scheduler_core::domain::NamedCalendar;
use scheduler_core::domain::job_spec::validate_name;
use scheduler_core::store::calendars::{CalendarCreated, NewCalendar};

/// Import an iCalendar file
///
/// The body is the file's text (RFC 5545, `.ics`). Its events become the days of the calendar, which is created if there is
/// none of this name and replaced otherwise.
#[utoipa::path(
    post, path = "/v1/calendars/{name}/import", tag = "calendars",
    params(
        ("name" = String, Path, description = "The calendar's name; escape `/` as `%2F`."),
        ("If-Match" = Option<String>, Header, description = "Replace only the version with this `ETag`"),
    ),
    request_body(content = String, content_type = "text/calendar", example = json!(
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20261224\r\nSUMMARY:Closed\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )),
    responses(
        (status = 200, description = "The calendar, with its new days.", body = NamedCalendar),
        (status = 201, description = "The calendar, which is new.", body = NamedCalendar,
         headers(("Location" = String, description = "Its path."))),
        (status = 409, description = "`calendar_in_use`: a template uses it in a way that the new days do not allow."),
        (status = 412, description = "The calendar has another version than `If-Match` allows."),
        (status = 422, description = "The file cannot be read; `errors` say in which line."),
    )
)]
pub async fn import_calendar(
    caller: Caller<TemplatesWrite>,
    State(app): State<AppState>,
    PathId(name): PathId<String>,
    if_match: IfMatch,
    TextBody(text): TextBody,
) -> Result<Response, Problem> {
    if let Some(why) = validate_name(&name) {
        return Err(Problem::invalid_field("", format!("the calendar's name in the path {why}")));
    }
    let (definition, calendar) = imported(&text)?;
    let is_there = app.store.calendar(caller.merchant, &name).await?.is_some();
    if is_there {
        let calendar = change(&app, caller.merchant, &name, &if_match, (&definition, calendar)).await?;
        return Ok(Tagged(StatusCode::OK, calendar).into_response());
    }
    if if_match.versions().is_some() {
        return Err(changed("calendar", 0));
    }
    let now = jobs::now(&app);
    let new = NewCalendar { merchant: caller.merchant, name: &name, definition: &definition, now, key: None };
    match app.store.create_calendar(&new).await? {
        CalendarCreated::Created(calendar) => Ok(created(calendar)),
        CalendarCreated::NameTaken => Err(name_taken()),
        CalendarCreated::KeyTaken(_) => Err(missing(&name)),
    }
}
