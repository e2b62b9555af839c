//! Calendars from iCalendar files (RFC 5545): what calendar programs export.

use super::super::ScheduleError;
use super::Calendar;

impl Calendar {
    /// Reads the events of an iCalendar file: events of whole days become days, others become spans of time.
    ///
    /// # Errors
    /// What is wrong with the file, with the number of the line.
    pub fn from_ics(_text: &str) -> Result<Calendar, Vec<ScheduleError>> {
        Err(vec![ScheduleError::whole("iCalendar files cannot be read yet")])
    }
}
