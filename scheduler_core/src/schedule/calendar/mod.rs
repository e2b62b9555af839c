//! Calendars: named sets of days and spans of time, and what a schedule does with them.
//!
//! `days` holds the set, `parse` reads its JSON form, `ics` reads what calendar programs export, `usage` is the member
//! `calendars` of a schedule, `roll` evaluates a schedule under its calendars.

mod days;
mod ics;
mod parse;
mod roll;
mod usage;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

pub use days::Calendar;
pub(super) use parse::weekday_index;
pub(super) use usage::CalendarRules;
pub use usage::{CalendarUse, Mode, Roll};

/// The calendars that schedules refer to by name.
#[derive(Clone, Debug, Default)]
pub struct CalendarSet(BTreeMap<String, Arc<Calendar>>);

static NONE: LazyLock<CalendarSet> = LazyLock::new(CalendarSet::default);

impl CalendarSet {
    /// The set without calendars.
    pub fn none() -> &'static CalendarSet {
        &NONE
    }

    /// Adds a calendar, or replaces the one of that name.
    pub fn insert(&mut self, name: impl Into<String>, calendar: Arc<Calendar>) {
        self.0.insert(name.into(), calendar);
    }

    /// The calendar of a name.
    pub fn get(&self, name: &str) -> Option<&Arc<Calendar>> {
        self.0.get(name)
    }

    /// The names, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl FromIterator<(String, Arc<Calendar>)> for CalendarSet {
    fn from_iter<I: IntoIterator<Item = (String, Arc<Calendar>)>>(calendars: I) -> Self {
        CalendarSet(calendars.into_iter().collect())
    }
}
