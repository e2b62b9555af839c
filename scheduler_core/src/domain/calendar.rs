//! Named calendars, as merchants see them.

use super::FieldError;
use super::job_spec::validate_name;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Most bytes of a calendar's definition, as JSON.
pub const MAX_DEFINITION_BYTES: usize = 256 * 1024;

/// The body of `POST /v1/calendars`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CalendarSpec {
    /// Unique among the merchant's calendars; how schedules refer to it.
    #[schema(example = "us-holidays")]
    pub name: String,
    /// Its days: see the schedules page.
    #[schema(value_type = Object)]
    pub definition: serde_json::Value,
}

impl CalendarSpec {
    /// Everything wrong with the name and the size; `schedule::Calendar::parse` judges the definition.
    pub fn validate(&self) -> Vec<FieldError> {
        let mut errors: Vec<_> =
            validate_name(&self.name).map(|why| FieldError::new("/name", why)).into_iter().collect();
        errors.extend(validate_size(&self.definition));
        errors
    }
}

/// Whether a definition is too large to be kept.
pub fn validate_size(definition: &serde_json::Value) -> Option<FieldError> {
    let bytes = definition.to_string().len();
    let detail = || {
        format!("has {bytes} bytes, more than {MAX_DEFINITION_BYTES}; leave out years that have passed, or make it two")
    };
    (bytes > MAX_DEFINITION_BYTES).then(|| FieldError::new("/definition", detail()))
}

/// A stored calendar, as the API shows it.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct NamedCalendar {
    /// Unique among the merchant's calendars.
    pub name: String,
    /// Grows with each change; the `ETag`.
    pub version: i32,
    /// Its days.
    #[schema(value_type = Object)]
    pub definition: serde_json::Value,
    /// How many templates use it.
    pub templates: i64,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}
