//! `interval`: every n seconds of real time. The n-th tick is computed from the anchor, so nothing drifts.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use chrono_tz::Tz;
use serde_json::{Map, Value};

use super::object::{Members, type_name};
use super::once::instant;
use super::words::{nearest, quoted};
use super::{EvalContext, Occurrence, ScheduleError};

const MEMBERS: [&str; 3] = ["every_seconds", "anchor", "timezone"];

/// Longest distance of two ticks: one hundred years of 365 days.
const MAX_SECONDS: u64 = 3_153_600_000;

/// Instants are kept in microseconds, which is what the database stores.
const MICROS: i128 = 1_000_000;

/// Every n seconds from an anchor. The anchor itself is the first tick; nothing runs before it.
#[derive(Clone, Debug)]
pub struct IntervalSchedule {
    every_seconds: u64,
    anchor: Anchor,
    timezone: Tz,
}

/// From where the ticks of an interval are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// 1970-01-01T00:00:00Z: all intervals of one length tick together.
    Epoch,
    /// The creation of the template, [`EvalContext::start`].
    Start,
    /// The end of the last run, [`EvalContext::last_completion`]: there is one occurrence at a time.
    Completion,
    /// A given instant.
    At(DateTime<Utc>),
}

impl IntervalSchedule {
    /// Every so many seconds from the creation of the template.
    pub(super) fn from_start(every_seconds: u64, timezone: Tz) -> Option<IntervalSchedule> {
        let allowed = (1..=MAX_SECONDS).contains(&every_seconds);
        allowed.then_some(IntervalSchedule { every_seconds, anchor: Anchor::Start, timezone })
    }

    /// Seconds between two ticks.
    pub fn every_seconds(&self) -> u64 {
        self.every_seconds
    }

    /// From where the ticks are counted.
    pub fn anchor(&self) -> Anchor {
        self.anchor
    }

    pub(super) fn timezone(&self) -> Tz {
        self.timezone
    }

    pub(super) fn next_after(&self, after: DateTime<Utc>, ctx: &EvalContext<'_>) -> Option<Occurrence> {
        let anchor = i128::from(match self.anchor {
            Anchor::Epoch => 0,
            Anchor::Start => ctx.start.timestamp_micros(),
            Anchor::At(at) => at.timestamp_micros(),
            Anchor::Completion => return self.after_completion(after, ctx),
        });
        let every = i128::from(self.every_seconds) * MICROS;
        let passed = i128::from(after.timestamp_micros()) - anchor;
        let ticks = if passed < 0 { 0 } else { passed / every + 1 };
        let micros = i64::try_from(anchor + ticks * every).ok()?;
        DateTime::from_timestamp_micros(micros).map(Occurrence::plain)
    }

    /// One interval after the end of the last run, and then nothing until the next run has ended.
    fn after_completion(&self, after: DateTime<Utc>, ctx: &EvalContext<'_>) -> Option<Occurrence> {
        let length = i64::try_from(self.every_seconds).ok().and_then(TimeDelta::try_seconds)?;
        let at = ctx.last_completion?.checked_add_signed(length)?;
        (at > after).then(|| Occurrence::plain(at))
    }

    pub(super) fn describe(&self) -> String {
        let anchor = match self.anchor {
            Anchor::Epoch => "counted from 1970-01-01T00:00:00Z".to_owned(),
            Anchor::Start => "counted from the creation of the template".to_owned(),
            Anchor::Completion => "counted from the end of the last run".to_owned(),
            Anchor::At(at) => {
                format!("from {} on", at.with_timezone(&self.timezone).to_rfc3339_opts(SecondsFormat::AutoSi, true))
            }
        };
        format!("Every {}, {anchor}", duration(self.every_seconds))
    }
}

/// Reads an interval schedule from its JSON object.
pub(super) fn parse(object: &Map<String, Value>) -> Result<IntervalSchedule, Vec<ScheduleError>> {
    let mut members = Members::new(object, &MEMBERS);
    let every_seconds = every_seconds(&mut members);
    let anchor = anchor(&mut members);
    let timezone = members.timezone();
    let built =
        every_seconds.zip(anchor).map(|(every_seconds, anchor)| IntervalSchedule { every_seconds, anchor, timezone });
    members.finish(built)
}

/// The required member `every_seconds`.
pub(super) fn every_seconds(members: &mut Members<'_>) -> Option<u64> {
    let value = members.required("every_seconds", "90")?;
    let seconds = value.as_u64().filter(|seconds| (1..=MAX_SECONDS).contains(seconds));
    if seconds.is_none() {
        let found = match value {
            Value::Number(number) => number.to_string(),
            Value::String(text) => format!("the string {}", quoted(text)),
            other => type_name(other).to_owned(),
        };
        let allowed = format!("a whole number of seconds from 1 to {MAX_SECONDS}");
        members.refuse("every_seconds", format!("`every_seconds` must be {allowed}, found {found}"));
    }
    seconds
}

fn anchor(members: &mut Members<'_>) -> Option<Anchor> {
    const NAMES: [&str; 3] = ["epoch", "start", "completion"];
    const ALLOWED: &str = "allowed are an RFC 3339 time, \"epoch\", \"start\" and \"completion\"";
    let Some(value) = members.get("anchor") else {
        return Some(Anchor::Epoch);
    };
    let text = members.text("anchor", value)?;
    let problem = match text {
        "epoch" => return Some(Anchor::Epoch),
        "start" => return Some(Anchor::Start),
        "completion" => return Some(Anchor::Completion),
        _ => match (instant(text), nearest(text, NAMES)) {
            (Ok(at), _) => return Some(Anchor::At(at)),
            (Err(_), Some(near)) => format!("{} is no anchor: did you mean \"{near}\"? {ALLOWED}", quoted(text)),
            (Err(problem), None) => format!("{problem}; {ALLOWED}"),
        },
    };
    members.refuse("anchor", problem);
    None
}

/// A length of time in the largest unit that divides it.
pub(super) fn duration(seconds: u64) -> String {
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let (size, name) = units.into_iter().find(|(size, _)| seconds.is_multiple_of(*size)).unwrap_or((1, "second"));
    match seconds / size {
        1 => name.to_owned(),
        count => format!("{count} {name}s"),
    }
}
