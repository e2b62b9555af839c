//! The definition of a calendar in a request.

use crate::problem::Problem;
use scheduler_core::domain::FieldError;
use scheduler_core::domain::calendar::validate_size;
use scheduler_core::schedule::{Calendar, ScheduleError};
use serde_json::Value;

/// Reads a definition that stands at `/definition`, after what is known to be wrong already.
pub fn judged(definition: &Value, mut errors: Vec<FieldError>) -> Result<Calendar, Problem> {
    let point = |error: ScheduleError| FieldError::new(error.pointer, error.detail).under("/definition");
    match Calendar::parse(definition) {
        Ok(calendar) if errors.is_empty() => return Ok(calendar),
        Ok(_) => {}
        Err(wrong) => errors.extend(wrong.into_iter().map(point)),
    }
    Err(Problem::invalid(errors))
}

/// Reads an iCalendar file, and how its days are stored.
pub fn imported(text: &str) -> Result<(Value, Calendar), Problem> {
    let point = |error: ScheduleError| FieldError::new(error.pointer, error.detail);
    let calendar =
        Calendar::from_ics(text).map_err(|errors| Problem::invalid(errors.into_iter().map(point).collect()))?;
    let definition = calendar.to_value();
    Problem::check(validate_size(&definition).into_iter().collect())?;
    Ok((definition, calendar))
}
