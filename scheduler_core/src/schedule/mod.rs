//! Schedules: from a JSON description to the times at which a template is due.
//!
//! Pure: no I/O, no clock reads; the caller passes every instant in. [`Schedule::parse`] does all the
//! checking, so that [`Schedule::next_after`] is integer arithmetic that neither fails, allocates nor loops.
//! One file (or folder) per kind; a new kind is a variant here, a line in [`Schedule::parse`] and its own file.

mod calendar;
mod civil;
mod clock_changes;
mod cron;
mod error;
pub mod import;
mod interval;
mod object;
mod occurrence;
mod once;
mod policy;
mod rrule;
mod spec;
#[cfg(test)]
mod tests;
mod timeline;
mod times;
mod timezone;
mod union;
mod wall;
mod windows;
mod words;

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use calendar::CalendarRules;
pub use calendar::{Calendar, CalendarSet, CalendarUse, Mode as CalendarMode, Roll};
pub use chrono_tz::Tz;
pub use cron::CronSchedule;
pub use error::ScheduleError;
pub use interval::{Anchor, IntervalSchedule};
pub use occurrence::{EvalContext, Occurrence, OccurrenceNote, Suppression};
pub use once::OnceSchedule;
pub use policy::{DstFold, DstGap};
pub use rrule::RruleSchedule;
pub use spec::{ScheduleSpec, WindowSpec};
pub use timezone::parse as parse_timezone;
use union::Budget;
pub use union::UnionSchedule;
pub use windows::WindowsSchedule;

/// Version of the IANA time-zone database that is compiled in, for example `2025b`.
///
/// Instances with different versions can disagree about future local times, so it is worth showing.
pub const TZDB_VERSION: &str = chrono_tz::IANA_TZDB_VERSION;

/// The kinds that [`Schedule::parse`] accepts.
const KINDS: [&str; 6] = ["cron", "interval", "once", "rrule", "windows", "union"];

/// A parsed and validated schedule.
#[derive(Clone, Debug)]
pub struct Schedule {
    kind: Kind,
    calendars: Option<CalendarRules>,
}

/// What names the times of a schedule.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Local times described by a cron expression.
    Cron(CronSchedule),
    /// Every n seconds of real time from an anchor.
    Interval(IntervalSchedule),
    /// A single instant.
    Once(OnceSchedule),
    /// A recurrence set of RFC 5545.
    Rrule(Box<RruleSchedule>),
    /// Ticks within windows of the day.
    Windows(WindowsSchedule),
    /// Several schedules, minus exclusions.
    Union(UnionSchedule),
}

impl Schedule {
    /// Parses and validates the JSON form of a schedule, an object tagged by `kind`.
    ///
    /// Calendars are named, not contained: whether they exist is for [`Schedule::check_calendars`] to say.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with a pointer relative to the schedule object: unknown fields and
    /// kinds, wrong types, values out of range, unknown zones, expressions that could never run.
    pub fn parse(value: &Value) -> Result<Schedule, Vec<ScheduleError>> {
        Schedule::parse_at(value, 0)
    }

    /// The same, of a schedule that lies in so many unions.
    fn parse_at(value: &Value, depth: usize) -> Result<Schedule, Vec<ScheduleError>> {
        let object = object::object(value)?;
        let kind = match object::kind(object)? {
            "cron" => cron::parse(object),
            "interval" => interval::parse(object).map(Kind::Interval),
            "once" => once::parse(object).map(Kind::Once),
            "rrule" => rrule::parse(object).map(|set| Kind::Rrule(Box::new(set))),
            "windows" => windows::parse(object).map(Kind::Windows),
            "union" => union::parse(object, depth).map(Kind::Union),
            other => Err(vec![object::unknown_kind(other)]),
        };
        let zone = kind.as_ref().map_or(Tz::UTC, Kind::timezone);
        let named = object.get("calendars").filter(|value| !value.is_null());
        let calendars = named.map_or(Ok(None), |value| CalendarRules::parse(value, zone));
        match (kind, calendars) {
            (Ok(kind), Ok(calendars)) => Ok(Schedule { kind, calendars }),
            (kind, calendars) => Err([kind.err(), calendars.err()].into_iter().flatten().flatten().collect()),
        }
    }

    /// What names its times.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The calendars that it refers to, each name once, in alphabetical order.
    pub fn calendar_names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.collect_names(&mut names);
        names.sort_unstable();
        names.dedup();
        names
    }

    fn collect_names<'a>(&'a self, names: &mut Vec<&'a str>) {
        names.extend(self.calendars.iter().flat_map(CalendarRules::names));
        if let Kind::Union(union) = &self.kind {
            union.parts().for_each(|part| part.collect_names(names));
        }
    }

    /// Whether it can be evaluated with these calendars; to be asked when it is written and when a calendar changes.
    ///
    /// # Errors
    /// A calendar that does not exist, or that cannot be used in the way that the schedule asks for.
    pub fn check_calendars(&self, calendars: &CalendarSet) -> Result<(), Vec<ScheduleError>> {
        let mut errors: Vec<_> = self.calendars.iter().flat_map(|rules| rules.check(calendars)).collect();
        if let Kind::Union(union) = &self.kind {
            for (list, index, part) in union.placed_parts() {
                let wrong = part.check_calendars(calendars).err().unwrap_or_default();
                errors.extend(wrong.into_iter().map(|error| error.under(&format!("/{list}/{index}"))));
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// The first occurrence strictly after `after`, or `None` when there is none; also `None` while a calendar that it
    /// names is missing ([`Schedule::check_calendars`] tells which). Occurrences that do not run are among them, with
    /// [`Occurrence::suppressed`] set.
    ///
    /// Bounded in time and memory whatever the schedule; looks at most 200 years ahead.
    pub fn next_after(&self, after: DateTime<Utc>, ctx: &EvalContext<'_>) -> Option<Occurrence> {
        self.next_within(after, ctx, &Budget::new())
    }

    fn next_within(&self, after: DateTime<Utc>, ctx: &EvalContext<'_>, budget: &Budget) -> Option<Occurrence> {
        match &self.calendars {
            None => self.kind.next_after(after, ctx, budget),
            Some(rules) => rules.next_after(after, ctx.calendars, |after| self.kind.next_after(after, ctx, budget)),
        }
    }

    /// The occurrences strictly after `after`, in order; bound it with `take` or `take_while`.
    pub fn occurrences<'a>(
        &'a self,
        after: DateTime<Utc>,
        ctx: &EvalContext<'a>,
    ) -> impl Iterator<Item = Occurrence> + use<'a> {
        let ctx = *ctx;
        let first = self.next_after(after, &ctx);
        std::iter::successors(first, move |last| self.next_after(last.at, &ctx))
    }

    /// The schedule in words, for example `At 09:00, Monday to Friday (America/New_York)`.
    pub fn describe(&self) -> String {
        let times = self.kind.describe();
        match &self.calendars {
            None => times,
            Some(rules) => format!("{times}, {}", rules.describe()),
        }
    }

    /// The same with the values that each `H` of a cron expression has for a template.
    pub fn describe_for(&self, template: Uuid) -> String {
        match (&self.kind, &self.calendars) {
            (Kind::Cron(cron), None) => cron.describe_for(template),
            (Kind::Cron(cron), Some(rules)) => format!("{}, {}", cron.describe_for(template), rules.describe()),
            _ => self.describe(),
        }
    }

    /// The zone in which its local times are meant and shown.
    pub fn timezone(&self) -> Tz {
        self.kind.timezone()
    }

    /// What its owner may want to know, seen from `from`: the next two clock changes that touch it, rules that are
    /// often misread, and that nothing is left to run. Sentences; empty when there is nothing to say.
    pub fn warnings(&self, from: DateTime<Utc>) -> Vec<String> {
        match &self.kind {
            Kind::Cron(cron) => cron.warnings(from),
            Kind::Interval(_) => Vec::new(),
            Kind::Windows(windows) => windows.warnings(from),
            Kind::Once(once) => once.warnings(from),
            Kind::Rrule(set) => set.warnings(from),
            Kind::Union(union) => union.warnings(from),
        }
    }
}

impl Kind {
    fn next_after(&self, after: DateTime<Utc>, ctx: &EvalContext<'_>, budget: &Budget) -> Option<Occurrence> {
        match self {
            Kind::Cron(cron) => cron.next_after(after, ctx.template_id),
            Kind::Interval(interval) => interval.next_after(after, ctx),
            Kind::Once(once) => once.next_after(after),
            Kind::Rrule(set) => set.next_after(after),
            Kind::Windows(windows) => windows.next_after(after),
            Kind::Union(union) => union.next_after(after, ctx, budget),
        }
    }

    fn describe(&self) -> String {
        match self {
            Kind::Cron(cron) => cron.describe(),
            Kind::Interval(interval) => interval.describe(),
            Kind::Once(once) => once.describe(),
            Kind::Rrule(set) => set.describe(),
            Kind::Windows(windows) => windows.describe(),
            Kind::Union(union) => union.describe(),
        }
    }

    fn timezone(&self) -> Tz {
        match self {
            Kind::Cron(cron) => cron.timezone(),
            Kind::Interval(interval) => interval.timezone(),
            Kind::Once(once) => once.timezone(),
            Kind::Rrule(set) => set.timezone(),
            Kind::Windows(windows) => windows.timezone(),
            Kind::Union(union) => union.timezone(),
        }
    }
}
