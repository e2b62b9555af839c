//! The independent enumeration: the nominal times of a schedule, from the documentation of schedules and nothing else.
//!
//! It shares no code with the evaluator. It goes through days one by one, puts every time of day on each, and asks the zone
//! library which instants that local time stands for. What it makes up (`Random`) it can write as JSON for the API.

pub mod calendars;
pub mod civil;
pub mod cron;
pub mod interval;
pub mod rule;
pub mod schedule;
pub mod union;
pub mod windows;

use chrono::{DateTime, Utc};
use uuid::Uuid;

pub use calendars::Calendars;
pub use schedule::Schedule;

/// A nominal time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Nominal {
    pub at: DateTime<Utc>,
    pub fate: Fate,
    /// Where a calendar has moved it from.
    pub rolled_from: Option<DateTime<Utc>>,
}

/// What the schedule itself says about a nominal time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Fate {
    Runs,
    /// A calendar takes it out.
    Calendar,
    /// Its local time does not exist and is left out.
    DstGap,
}

impl Nominal {
    pub fn runs(at: DateTime<Utc>) -> Self {
        Self { at, fate: Fate::Runs, rolled_from: None }
    }
}

/// A stretch of time: after the first and up to the second.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub after: DateTime<Utc>,
    pub until: DateTime<Utc>,
}

impl Span {
    pub fn contains(&self, at: DateTime<Utc>) -> bool {
        self.after < at && at <= self.until
    }

    /// The same and so many days more on both sides.
    pub fn wider(&self, days: i64) -> Self {
        let days = chrono::TimeDelta::days(days);
        Self { after: self.after - days, until: self.until + days }
    }
}

/// What a schedule's times depend on beside itself.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    pub template: Uuid,
    pub created_at: DateTime<Utc>,
    pub calendars: &'a Calendars,
}

/// In order, each instant once: of two at the same instant the one that runs, then the one that was not moved there.
pub fn merged(mut times: Vec<Nominal>) -> Vec<Nominal> {
    times.sort_by_key(|it| (it.at, it.fate, it.rolled_from));
    times.dedup_by_key(|it| it.at);
    times
}
