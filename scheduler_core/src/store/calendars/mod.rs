//! Calendars, who uses them, and how whoever evaluates a schedule gets them.
//!
//! * A template's calendars stand in `template_calendars`, written in the transaction that writes the template ([`links`]).
//!   The foreign key decides between a template that begins to use a calendar and somebody who deletes it.
//! * Whoever writes a template holds its calendars shared until it commits, and whoever changes a calendar waits for that:
//!   so a change sees every template that was planned by what the calendar said before, and asks for each to be planned
//!   anew.
//! * Whoever only evaluates reads without a lock, through a bounded cache that asks the database whether it is still right
//!   ([`load`]).
//!
//! Locks are taken in the order template, calendars (by name), links.

mod cache;
mod change;
mod create;
pub(crate) mod links;
pub(crate) mod load;
mod read;

pub use change::{CalendarChanged, CalendarDeleted};
pub use create::{CalendarCreated, NewCalendar};

use crate::domain::NamedCalendar;
use chrono::{DateTime, Utc};

/// A row of `calendars`, and how many templates use it.
#[derive(sqlx::FromRow)]
struct CalendarRow {
    name: String,
    version: i32,
    definition: serde_json::Value,
    templates: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// The columns of [`CalendarRow`], of the calendars `c`.
macro_rules! calendar_columns {
    () => {
        "c.name, c.version, c.definition, c.created_at, c.updated_at,
         (SELECT count(*) FROM template_calendars l WHERE l.merchant_id = c.merchant_id AND l.calendar = c.name) AS templates"
    };
}
use calendar_columns;

impl From<CalendarRow> for NamedCalendar {
    fn from(row: CalendarRow) -> Self {
        let CalendarRow { name, version, definition, templates, created_at, updated_at } = row;
        Self { name, version, definition, templates, created_at, updated_at }
    }
}
