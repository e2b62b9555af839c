//! `PUT /v1/calendars/{name}`

use super::body::judged;
use super::{change, check_name};
use crate::extract::{Caller, JsonBody, PathId, TemplatesWrite};
use crate::problem::Problem;
use crate::routes::templates::etag::{IfMatch, Tagged};
use crate::state::AppState;
use axum::extract::State;
use axum::http::StatusCode;
use scheduler_core::domain::calendar::validate_size;
use scheduler_core::domain::{FieldError, NamedCalendar};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

/// What a calendar becomes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CalendarReplacement {
    /// May be given; it cannot be changed.
    #[serde(default)]
    name: Option<String>,
    /// Its days: see the schedules page.
    #[schema(value_type = Object)]
    definition: Value,
}

/// Replace a calendar
///
/// What is planned and not due yet of the templates that use it is planned anew. The same definition again changes nothing.
#[utoipa::path(
    put, path = "/v1/calendars/{name}", tag = "calendars",
    params(
        ("name" = String, Path, description = "The calendar's name; escape `/` as `%2F`."),
        ("If-Match" = Option<String>, Header, description = "Replace only the version with this `ETag`"),
    ),
    request_body(content = CalendarReplacement, example = json!({"definition": {"yearly": ["01-01", "12-25", "12-26"]}})),
    responses(
        (status = 200, description = "The new version.", body = NamedCalendar),
        (status = 409, description = "`calendar_in_use`: a template uses it in a way that the new days do not allow."),
        (status = 412, description = "The calendar has another version than `If-Match` allows."),
    )
)]
pub async fn replace_calendar(
    caller: Caller<TemplatesWrite>,
    State(app): State<AppState>,
    PathId(name): PathId<String>,
    if_match: IfMatch,
    body: JsonBody<CalendarReplacement>,
) -> Result<Tagged<NamedCalendar>, Problem> {
    check_name(&name)?;
    let CalendarReplacement { name: given, definition } = body.value;
    let renamed = given.is_some_and(|given| given != name);
    let refused = || FieldError::new("/name", format!("a calendar cannot be renamed; leave it out, or say `{name}`"));
    let errors = renamed.then(refused).into_iter().chain(validate_size(&definition)).collect();
    let calendar = judged(&definition, errors)?;
    let changed = change(&app, caller.merchant, &name, &if_match, (&definition, calendar)).await?;
    Ok(Tagged(StatusCode::OK, changed))
}
