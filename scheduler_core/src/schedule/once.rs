//! `once`: a single instant.

use chrono::{DateTime, Datelike, SecondsFormat, Utc};
use chrono_tz::Tz;
use serde_json::{Map, Value};

use super::object::Members;
use super::words::quoted;
use super::{Occurrence, ScheduleError};

const MEMBERS: [&str; 2] = ["at", "timezone"];

/// A single instant.
#[derive(Clone, Debug)]
pub struct OnceSchedule {
    at: DateTime<Utc>,
    timezone: Tz,
}

impl OnceSchedule {
    /// The instant at which it runs.
    pub fn at(&self) -> DateTime<Utc> {
        self.at
    }

    pub(super) fn timezone(&self) -> Tz {
        self.timezone
    }

    pub(super) fn next_after(&self, after: DateTime<Utc>) -> Option<Occurrence> {
        (self.at > after).then_some(Occurrence::plain(self.at))
    }

    pub(super) fn describe(&self) -> String {
        format!("Once, at {}", self.shown())
    }

    pub(super) fn warnings(&self, from: DateTime<Utc>) -> Vec<String> {
        if self.at > from { Vec::new() } else { vec![format!("{} has passed: this never runs", self.shown())] }
    }

    fn shown(&self) -> String {
        self.at.with_timezone(&self.timezone).to_rfc3339_opts(SecondsFormat::AutoSi, true)
    }
}

/// Reads a one-time schedule from its JSON object.
pub(super) fn parse(object: &Map<String, Value>) -> Result<OnceSchedule, Vec<ScheduleError>> {
    let mut members = Members::new(object, &MEMBERS);
    let text = members.required("at", "\"2026-12-24T18:00:00+01:00\"").and_then(|value| members.text("at", value));
    let at = text.and_then(|text| instant(text).map_err(|problem| members.refuse("at", problem)).ok());
    let timezone = members.timezone();
    members.finish(at.map(|at| OnceSchedule { at, timezone }))
}

/// An RFC 3339 time, cut to microseconds; the error is a sentence.
pub(super) fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    const EXAMPLE: &str = "2026-12-24T18:00:00Z";
    let found = quoted(text);
    // Local times are the usual mistake and deserve their own answer.
    let with_offset = format!("{text}Z");
    match DateTime::parse_from_rfc3339(text) {
        Ok(at) if (1970..=9999).contains(&at.to_utc().year()) => {
            let micros = at.timestamp_micros();
            DateTime::from_timestamp_micros(micros).ok_or_else(|| format!("{found} is out of range"))
        }
        Ok(_) => Err(format!("{found} is out of range: allowed are the years 1970 to 9999")),
        Err(_) if text.len() < 64 && DateTime::parse_from_rfc3339(&with_offset).is_ok() => {
            Err(format!("{found} has no offset from UTC: add Z, or an offset such as +01:00"))
        }
        Err(_) => Err(format!("{found} is not an RFC 3339 time such as \"{EXAMPLE}\"")),
    }
}
