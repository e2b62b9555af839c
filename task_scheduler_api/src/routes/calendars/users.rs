//! Whether the templates that use a calendar can use what becomes of it.

use crate::problem::Problem;
use crate::state::App;
use scheduler_core::domain::MerchantId;
use scheduler_core::schedule::{Calendar, Schedule};
use std::sync::Arc;

/// Templates that are looked at.
const MOST: usize = 1_000;
/// Templates that a refusal names.
const NAMED: usize = 10;

/// 409 if a template uses the calendar in a way that its new days do not allow: times can be rolled over whole days only.
pub async fn check(app: &App, merchant: MerchantId, name: &str, calendar: Calendar) -> Result<(), Problem> {
    if !calendar.has_spans() {
        return Ok(());
    }
    let calendar = Arc::new(calendar);
    let mut unable = Vec::new();
    for (_, template, schedule) in app.store.templates_using(merchant, name, MOST).await? {
        // What cannot be read is no reason to keep a calendar from being changed.
        let Ok(schedule) = Schedule::parse(&schedule) else { continue };
        let mut calendars = app.store.calendar_set(merchant, &schedule.calendar_names()).await?;
        calendars.insert(name, Arc::clone(&calendar));
        if schedule.check_calendars(&calendars).is_err() {
            unable.push(template);
        }
    }
    if unable.is_empty() {
        return Ok(());
    }
    let shown = unable.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    Err(Problem::conflict(
        "calendar_in_use",
        format!(
            "{} of the templates that use it move their times to other days, and only whole days can be moved over; \
             put the windows into a calendar of their own ({shown})",
            unable.len()
        ),
    ))
}
