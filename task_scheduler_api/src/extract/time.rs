//! Times from outside, within what the database and every client can write.

use chrono::{DateTime, Datelike as _, Utc};
use serde::de::{Deserializer, Error, Visitor};
use std::fmt;
use std::ops::RangeInclusive;

/// The years that are taken, in UTC.
const YEARS: RangeInclusive<i32> = 1970..=9998;

/// What is said of a text that is no time.
pub const NO_TIME: &str = "not an RFC 3339 time such as 2027-01-31T09:00:00Z";

/// For `deserialize_with` of optional times, together with `default`.
pub fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    deserializer.deserialize_option(Optional)
}

/// Whether a time is within the years that are taken.
pub fn is_taken(at: DateTime<Utc>) -> bool {
    YEARS.contains(&at.year())
}

struct Optional;

impl<'de> Visitor<'de> for Optional {
    type Value = Option<DateTime<Utc>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Time.expecting(f)
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(Time).map(Some)
    }
}

/// Judges within the visit, where errors of a query still learn their parameter.
struct Time;

impl Visitor<'_> for Time {
    type Value = DateTime<Utc>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an RFC 3339 time such as 2027-01-31T09:00:00Z")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<DateTime<Utc>, E> {
        let at: DateTime<Utc> = text.parse().map_err(|_| E::custom(NO_TIME))?;
        if is_taken(at) {
            return Ok(at);
        }
        Err(E::custom(format_args!("the year must be from {} to {}", YEARS.start(), YEARS.end())))
    }
}
