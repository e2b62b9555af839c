//! `rrule`: recurrence sets of RFC 5545: DTSTART, rules, further dates, exceptions.
//!
//! `lines` and `parts` read the text, `build` makes it evaluable, `days` knows which days a rule selects, `search`
//! evaluates rules of days and longer on the calendar, `real` those of hours and shorter on the real time line, with `meeting`
//! where time and clock seldom agree.

mod build;
mod days;
mod describe;
mod lines;
mod meeting;
mod parse;
mod parts;
mod real;
mod search;
mod stamp;

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;

use super::Occurrence;
use super::civil::DAY;
use super::occurrence::earliest;
use super::wall::WallClock;
pub(super) use lines::{Line, property, unfolded};
pub(super) use parse::{parse, set_of_lines};
use parts::Parts;
use real::RealRule;
use search::CalendarRule;
pub(super) use stamp::{Form, Stamp};

/// Excluded occurrences that one search passes over; more than an expression can name.
const MOST_EXCLUDED: usize = 10_000;

/// How far a search looks, in seconds: 400 years, after which the calendar repeats itself.
const HORIZON: i64 = 400 * 366 * 86_400;

/// A recurrence set.
#[derive(Clone, Debug)]
pub struct RruleSchedule {
    expression: String,
    set: RecurrenceSet,
}

/// Rules and dates in a zone, minus exceptions.
#[derive(Clone, Debug)]
pub(super) struct RecurrenceSet {
    wall: WallClock,
    /// DTSTART, as a local time.
    start: i64,
    /// Whether DTSTART is a day and not a time.
    whole_days: bool,
    rules: Vec<Rule>,
    /// RDATEs (and DTSTART if there is no rule) as local times, in order.
    dates: Vec<i64>,
    /// RDATEs in UTC or another zone: Unix seconds, in order.
    instants: Vec<i64>,
    /// EXDATEs: Unix seconds, in order.
    excluded: Vec<i64>,
    /// EXDATEs that are days, counted from 1970-01-01, in order.
    excluded_days: Vec<i64>,
}

/// One RRULE: exactly one of the two is there.
#[derive(Clone, Debug)]
struct Rule {
    calendar: Option<CalendarRule>,
    real: Option<RealRule>,
    /// The last instant that UNTIL includes.
    until: Option<i64>,
    parts: Parts,
}

impl RruleSchedule {
    /// The expression as it was given.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    pub(super) fn timezone(&self) -> Tz {
        self.set.wall.timeline.zone()
    }

    pub(super) fn next_after(&self, after: DateTime<Utc>) -> Option<Occurrence> {
        self.set.next_after(after)
    }
}

impl RecurrenceSet {
    pub(super) fn next_after(&self, after: DateTime<Utc>) -> Option<Occurrence> {
        let mut after = after;
        for _ in 0..MOST_EXCLUDED {
            let found = self.next_included(after)?;
            let at = found.at.timestamp();
            let local = self.wall.timeline.local(at);
            let day = local.div_euclid(DAY);
            after = if self.excluded_days.binary_search(&day).is_ok() {
                // The whole day is out, however dense the rule.
                let rest = self.wall.timeline.instant((day + 1) * DAY) - 1;
                DateTime::from_timestamp(rest, 0)?.max(found.at)
            } else if self.excluded.binary_search(&at).is_ok() {
                found.at
            } else {
                return Some(found);
            };
        }
        None
    }

    /// Whether it has any occurrence.
    fn is_empty(&self) -> bool {
        let firsts = [Some(&self.start), self.dates.first(), self.instants.first()];
        let first = firsts.into_iter().flatten().min().copied().unwrap_or(self.start);
        // Zones are less than three days apart.
        let before = DateTime::from_timestamp(first - 3 * DAY, 0).unwrap_or_default();
        self.next_after(before).is_none()
    }

    /// The next occurrence of the rules and dates, exceptions not yet taken out.
    fn next_included(&self, after: DateTime<Utc>) -> Option<Occurrence> {
        let mut best = None;
        for rule in &self.rules {
            best = earliest(best, rule.next_after(after, &self.wall));
        }
        if !self.dates.is_empty() {
            best = earliest(
                best,
                self.wall.next_after(self.dates.as_slice(), after, after.timestamp().saturating_add(HORIZON)),
            );
        }
        let index = self.instants.partition_point(|at| *at <= after.timestamp());
        let instant = self.instants.get(index).and_then(|at| DateTime::from_timestamp(*at, 0));
        earliest(best, instant.map(Occurrence::plain))
    }
}

impl Rule {
    fn next_after(&self, after: DateTime<Utc>, wall: &WallClock) -> Option<Occurrence> {
        let start = self.calendar.as_ref().map(|rule| rule.start).or(self.real.as_ref().map(|rule| rule.start))?;
        let horizon = after.timestamp().max(start).saturating_add(HORIZON);
        let until = self.until.map_or(horizon, |until| horizon.min(until + 1));
        if let Some(rule) = &self.calendar {
            return wall.next_after(rule, after, until);
        }
        let at = self.real.as_ref()?.first_in(after.timestamp() + 1, until)?;
        DateTime::from_timestamp(at, 0).map(Occurrence::plain)
    }
}

/// An instant as messages show it.
fn shown(at: i64) -> String {
    DateTime::from_timestamp(at, 0).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Secs, true)
}
