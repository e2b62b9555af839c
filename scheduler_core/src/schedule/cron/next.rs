//! The next instant of a cron schedule: the calendar search of its pattern on the wall clock of its zone.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::super::Occurrence;
use super::CronSchedule;
use super::pattern::Pattern;

/// How far the search looks, in seconds: 200 years. The rarest legal date (29 February on a given weekday) comes at
/// least every 40 years, and the year field ends in 2099.
const HORIZON: i64 = 200 * 366 * 86_400;

impl CronSchedule {
    pub(in super::super) fn next_after(&self, after: DateTime<Utc>, template: Uuid) -> Option<Occurrence> {
        match &self.hashed {
            None => self.next_of(&self.pattern, after),
            Some(hashed) => self.next_of(&hashed.pattern(template, &self.pattern), after),
        }
    }

    pub(super) fn next_of(&self, pattern: &Pattern, after: DateTime<Utc>) -> Option<Occurrence> {
        self.wall.next_after(pattern, after, after.timestamp() + HORIZON)
    }
}
