//! A calendar as a set of civil days and of spans of real time.

use chrono::Datelike;

use super::super::civil::{DAY, date};

/// A set of days (business days, holidays) and of spans of time (maintenance windows).
///
/// Days are civil days in the zone of the schedule that uses the calendar: a holiday begins at midnight there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    pub(super) days: DaySet,
    /// Taken out of `days`.
    pub(super) except: DaySet,
    /// Spans of time, in order, apart from each other: Unix seconds, the end not included.
    pub(super) spans: Vec<(i64, i64)>,
}

impl Calendar {
    /// Whether a day, counted from 1970-01-01, belongs to it.
    pub(in super::super) fn has_day(&self, day: i64) -> bool {
        self.days.contains(day) && !self.except.contains(day)
    }

    /// Whether an instant (Unix seconds) on that local day belongs to it.
    pub(in super::super) fn has_instant(&self, at: i64, day: i64) -> bool {
        self.has_day(day) || within(&self.spans, at)
    }

    /// Whether it holds spans of time, which are no days.
    pub fn has_spans(&self) -> bool {
        !self.spans.is_empty()
    }
}

/// A set of civil days.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DaySet {
    /// Single days and ranges, in order, apart from each other: days from 1970-01-01, the end not included.
    pub(super) ranges: Vec<(i64, i64)>,
    /// Days of every year: bit n of month m is its n-th day. Index 0 is not used.
    pub(super) yearly: [u32; 13],
    /// Bit 0 is Sunday.
    pub(super) weekdays: u8,
}

impl DaySet {
    pub(super) fn contains(&self, day: i64) -> bool {
        self.weekdays >> weekday(day) & 1 == 1 || within(&self.ranges, day) || self.contains_yearly(day)
    }

    fn contains_yearly(&self, day: i64) -> bool {
        self.yearly != [0; 13] && date(day).is_some_and(|it| self.yearly[it.month() as usize] >> it.day() & 1 == 1)
    }
}

/// The weekday of a day counted from 1970-01-01, a Thursday; 0 is Sunday.
fn weekday(day: i64) -> i64 {
    (day + 4).rem_euclid(7)
}

/// Sorts ranges and joins those that touch.
pub(super) fn merged(mut ranges: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    ranges.sort_unstable();
    let mut merged: Vec<(i64, i64)> = Vec::with_capacity(ranges.len());
    for (begin, end) in ranges {
        match merged.last_mut() {
            Some(last) if begin <= last.1 => last.1 = last.1.max(end),
            _ => merged.push((begin, end)),
        }
    }
    merged
}

fn within(ranges: &[(i64, i64)], value: i64) -> bool {
    let after = ranges.partition_point(|range| range.0 <= value);
    after > 0 && value < ranges[after - 1].1
}

/// The local day of a local time, counted from 1970-01-01.
pub(super) fn day_of(local: i64) -> i64 {
    local.div_euclid(DAY)
}
