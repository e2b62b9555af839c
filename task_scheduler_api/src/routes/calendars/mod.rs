//! Calendars: named days and windows that the schedules of templates refer to.

mod body;
pub mod create;
pub mod delete;
pub mod get;
pub mod import;
pub mod list;
pub mod replace;
mod users;

use crate::problem::Problem;
use crate::state::App;
use axum::http::StatusCode;
use scheduler_core::domain::job_spec::validate_name;
use scheduler_core::domain::{FieldError, MerchantId, NamedCalendar};
use scheduler_core::schedule::{Calendar, CalendarSet, Schedule};
use scheduler_core::store::calendars::CalendarChanged;
use serde_json::Value;

/// The most names among which a misspelt one is looked for.
const NEAR: usize = 500;

/// The calendars that a schedule at `/schedule` of a request names; 422 with pointers if one of them does not exist or cannot
/// be used in this way.
pub async fn of_schedule(app: &App, merchant: MerchantId, schedule: &Schedule) -> Result<CalendarSet, Problem> {
    let calendars = app.store.calendar_set(merchant, &schedule.calendar_names()).await?;
    let Err(errors) = schedule.check_calendars(&calendars) else { return Ok(calendars) };
    // Only now the names of all of them are worth a question: one may have been meant.
    let mut known = calendars;
    for calendar in app.store.list_calendars(merchant, None, NEAR).await? {
        if known.get(&calendar.name).is_none() {
            known.insert(calendar.name, std::sync::Arc::default());
        }
    }
    let errors = schedule.check_calendars(&known).err().unwrap_or(errors);
    Err(Problem::invalid(errors.into_iter().map(|e| FieldError::new(e.pointer, e.detail).under("/schedule")).collect()))
}

/// Gives a calendar a new definition and tells the recurrence managers.
async fn change(
    app: &App,
    merchant: MerchantId,
    name: &str,
    if_match: &super::templates::etag::IfMatch,
    (definition, calendar): (&Value, Calendar),
) -> Result<NamedCalendar, Problem> {
    users::check(app, merchant, name, calendar).await?;
    let now = super::jobs::now(app);
    match app.store.replace_calendar(merchant, name, if_match.versions(), definition, now).await? {
        CalendarChanged::Done(calendar) => {
            app.hints.template();
            Ok(calendar)
        }
        CalendarChanged::NotFound => Err(missing(name)),
        CalendarChanged::VersionMismatch { current } => Err(super::templates::etag::changed("calendar", current)),
    }
}

fn missing(name: &str) -> Problem {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(128).collect();
    Problem::not_found("calendar", format!("`{shown}`"))
}

/// Names that no calendar can have need no question to the database (which could not even be asked all of them).
fn check_name(name: &str) -> Result<(), Problem> {
    if validate_name(name).is_none() { Ok(()) } else { Err(missing(name)) }
}

fn name_taken() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "name_taken",
        "there is a calendar of this name; choose another, or replace that one with PUT",
    )
}
