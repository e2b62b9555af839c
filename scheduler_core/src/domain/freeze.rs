//! Freeze windows: times in which nothing of a merchant's templates starts.

use super::{FieldError, job_spec::validate_name};
use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Longest window: a year.
const MAX_LENGTH: TimeDelta = TimeDelta::days(366);

/// What happens to occurrences within a window.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FreezeAction {
    /// They start when the window ends.
    Hold,
    /// They are skipped, with a record that says so.
    Skip,
}

impl FreezeAction {
    /// The name in the API and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Skip => "skip",
        }
    }

    /// Reads the database's name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Hold, Self::Skip].into_iter().find(|action| action.as_str() == text)
    }
}

/// A window in which the occurrences of all templates of a merchant are held or skipped.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Freeze {
    /// Unique among the merchant's windows.
    pub name: String,
    /// Its first instant.
    pub starts_at: DateTime<Utc>,
    /// The first instant after it.
    pub ends_at: DateTime<Utc>,
    /// What happens to occurrences within it.
    pub action: FreezeAction,
}

impl Freeze {
    /// Whether an instant lies within it.
    pub fn contains(&self, at: DateTime<Utc>) -> bool {
        self.starts_at <= at && at < self.ends_at
    }

    /// Everything wrong with it.
    pub fn validate(&self) -> Vec<FieldError> {
        let mut errors: Vec<_> =
            validate_name(&self.name).map(|why| FieldError::new("/name", why)).into_iter().collect();
        for (at, pointer) in [(self.starts_at, "/starts_at"), (self.ends_at, "/ends_at")] {
            if !(1970..=9998).contains(&at.year()) {
                errors.push(FieldError::new(pointer, "the year must be from 1970 to 9998"));
            }
        }
        if self.ends_at <= self.starts_at {
            errors.push(FieldError::new("/ends_at", "must lie after starts_at"));
        } else if self.ends_at - self.starts_at > MAX_LENGTH {
            errors.push(FieldError::new("/ends_at", "a window may last 366 days; pause the templates instead"));
        }
        errors
    }
}
