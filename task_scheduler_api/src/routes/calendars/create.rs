//! `POST /v1/calendars`

use super::body::judged;
use super::name_taken;
use crate::extract::{Caller, JsonBody, TemplatesWrite};
use crate::idempotency::{self, Idempotency};
use crate::problem::Problem;
use crate::routes::jobs;
use crate::routes::templates::etag::Tagged;
use crate::state::AppState;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use scheduler_core::domain::{CalendarSpec, NamedCalendar};
use scheduler_core::store::calendars::{CalendarCreated, NewCalendar};
use scheduler_core::store::templates::Keyed;

/// Create a calendar
///
/// Schedules refer to it by its name. With an `Idempotency-Key` header a repeated request gets the first answer again
/// (`Idempotency-Replayed: true`).
#[utoipa::path(
    post, path = "/v1/calendars", tag = "calendars",
    request_body(content = CalendarSpec, example = json!({
        "name": "us-holidays",
        "definition": {"dates": ["2026-11-26"], "yearly": ["01-01", "07-04", "12-25"]}
    })),
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 256 bytes of your choice; kept for 72 hours.")),
    responses(
        (status = 201, description = "The calendar; `ETag` is its version.", body = NamedCalendar,
         headers(("Location" = String, description = "Its path."), ("ETag" = String, description = "Its version."))),
        (status = 409, description = "`name_taken`: there is a calendar of this name."),
    ),
)]
pub async fn create_calendar(
    app: State<AppState>,
    caller: Caller<TemplatesWrite>,
    idempotency: Idempotency,
    body: JsonBody<CalendarSpec>,
) -> Result<Response, Problem> {
    let CalendarSpec { name, definition } = &body.value;
    judged(definition, body.value.validate())?;
    let now = jobs::now(&app);
    let key = idempotency.key_for(&app, &body.bytes, now);
    let key = key.as_ref().map(|key| Keyed { key, status: 201, body: &shown });
    match app.store.create_calendar(&NewCalendar { merchant: caller.merchant, name, definition, now, key }).await? {
        CalendarCreated::Created(calendar) => Ok(created(calendar)),
        CalendarCreated::KeyTaken(holder) => idempotency::answer(holder),
        CalendarCreated::NameTaken => Err(name_taken()),
    }
}

/// 201 with its path.
pub(super) fn created(calendar: NamedCalendar) -> Response {
    // A name has letters, digits and . _ - : / only; the slash is the one that a path segment cannot have.
    let path = format!("/v1/calendars/{}", calendar.name.replace('/', "%2F"));
    let mut response = Tagged(StatusCode::CREATED, calendar).into_response();
    if let Ok(path) = HeaderValue::from_str(&path) {
        response.headers_mut().insert(header::LOCATION, path);
    }
    response
}

fn shown(calendar: &NamedCalendar) -> String {
    serde_json::to_string(calendar).expect("a calendar has string keys and finite numbers only")
}
