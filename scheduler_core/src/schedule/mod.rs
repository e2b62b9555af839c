//! Schedules: from a JSON description to the times at which a template is due.
//!
//! Pure: no I/O, no clock reads; the caller passes every instant in. [`Schedule::parse`] does all the
//! checking, so that [`Schedule::next_after`] is integer arithmetic that neither fails, allocates nor loops.
//! One file (or folder) per kind; a new kind is a variant here, a line in [`Schedule::parse`] and its own file.

mod civil;
mod cron;
mod error;
mod interval;
mod object;
mod once;
mod policy;
mod spec;
#[cfg(test)]
mod tests;
mod timeline;
mod timezone;
mod words;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

pub use cron::CronSchedule;
pub use error::ScheduleError;
pub use interval::{Anchor, IntervalSchedule};
pub use once::OnceSchedule;
pub use policy::{DstFold, DstGap};
pub use spec::ScheduleSpec;

/// Version of the IANA time-zone database that is compiled in, for example `2025b`.
///
/// Instances with different versions can disagree about future local times, so it is worth showing.
pub const TZDB_VERSION: &str = chrono_tz::IANA_TZDB_VERSION;

/// The kinds that [`Schedule::parse`] accepts.
const KINDS: [&str; 3] = ["cron", "interval", "once"];

/// Kinds that the design names and that this version refuses by name.
const LATER_KINDS: [&str; 5] = ["rrule", "windows", "union", "calendar", "calendars"];

/// A parsed and validated schedule.
#[derive(Clone, Debug)]
pub enum Schedule {
    /// Local times described by a cron expression.
    Cron(CronSchedule),
    /// Every n seconds of real time from an anchor.
    Interval(IntervalSchedule),
    /// A single instant.
    Once(OnceSchedule),
}

/// What an evaluation may depend on besides the schedule itself.
#[derive(Clone, Copy, Debug)]
pub struct EvalContext {
    /// When the template was created: the interval anchor `start`.
    pub start: DateTime<Utc>,
    /// The template, for expressions that spread load by a stable hash of it.
    pub template_id: Uuid,
}

/// One nominal time of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// The instant at which it is due.
    pub at: DateTime<Utc>,
    /// Set when a clock change touches it.
    pub note: Option<OccurrenceNote>,
}

/// How a clock change touches an occurrence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OccurrenceNote {
    /// It stands for at least one local time that does not exist that day.
    DstGap,
    /// Its local time happens twice that day.
    DstFold,
}

impl Schedule {
    /// Parses and validates the JSON form of a schedule, an object tagged by `kind`.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with a pointer relative to the schedule object: unknown fields and
    /// kinds, wrong types, values out of range, unknown zones, expressions that could never run.
    pub fn parse(value: &Value) -> Result<Schedule, Vec<ScheduleError>> {
        let object = object::object(value)?;
        match object::kind(object)? {
            "cron" => cron::parse(object).map(Schedule::Cron),
            "interval" => interval::parse(object).map(Schedule::Interval),
            "once" => once::parse(object).map(Schedule::Once),
            other => Err(vec![object::unknown_kind(other)]),
        }
    }

    /// The first occurrence strictly after `after`, or `None` when there is none.
    ///
    /// Allocates nothing and looks at most 200 years ahead.
    pub fn next_after(&self, after: DateTime<Utc>, ctx: &EvalContext) -> Option<Occurrence> {
        match self {
            Schedule::Cron(cron) => cron.next_after(after),
            Schedule::Interval(interval) => interval.next_after(after, ctx),
            Schedule::Once(once) => once.next_after(after),
        }
    }

    /// The occurrences strictly after `after`, in order; bound it with `take` or `take_while`.
    pub fn occurrences<'a>(
        &'a self,
        after: DateTime<Utc>,
        ctx: &EvalContext,
    ) -> impl Iterator<Item = Occurrence> + use<'a> {
        let ctx = *ctx;
        let first = self.next_after(after, &ctx);
        std::iter::successors(first, move |last| self.next_after(last.at, &ctx))
    }

    /// The schedule in words, for example `At 09:00, Monday to Friday (America/New_York)`.
    pub fn describe(&self) -> String {
        match self {
            Schedule::Cron(cron) => cron.describe(),
            Schedule::Interval(interval) => interval.describe(),
            Schedule::Once(once) => once.describe(),
        }
    }

    /// The zone in which its local times are meant and shown.
    pub fn timezone(&self) -> Tz {
        match self {
            Schedule::Cron(cron) => cron.timezone(),
            Schedule::Interval(interval) => interval.timezone(),
            Schedule::Once(once) => once.timezone(),
        }
    }

    /// What its owner may want to know, seen from `from`: the next two clock changes that touch it, rules that are
    /// often misread, and that nothing is left to run. Sentences; empty when there is nothing to say.
    pub fn warnings(&self, from: DateTime<Utc>) -> Vec<String> {
        match self {
            Schedule::Cron(cron) => cron.warnings(from),
            Schedule::Interval(_) => Vec::new(),
            Schedule::Once(once) => once.warnings(from),
        }
    }
}
