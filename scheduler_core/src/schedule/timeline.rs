//! A zone's offsets from UTC as a table of integers: where each period of constant offset begins and ends.
//!
//! The zone library answers "which offset holds at this instant", but not "until when", which the search needs. The
//! table is built once per zone and process by asking it at steps and bisecting.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::Tz;
use parking_lot::Mutex;

/// First instant asked for, 1970-01-01; earlier instants get the offset of that day.
const BEGIN: i64 = 0;

/// Last instant asked for, 2100-07-01. The compiled database ends in 2099 and keeps its last offset from there on.
const END: i64 = 4_118_083_200;

/// Distance of the questions. No zone of the database changes its offset twice within six days after 1970 (a test
/// holds us to that), so that a change between two questions is always seen and is always a single one.
const STEP: i64 = 3 * 86_400;

static TIMELINES: LazyLock<Mutex<HashMap<Tz, Arc<Timeline>>>> = LazyLock::new(Mutex::default);

/// All offsets of one zone.
pub(super) struct Timeline {
    zone: Tz,
    first_offset: i64,
    changes: Vec<Change>,
}

/// From `at` on, local time is UTC plus `offset`.
#[derive(Clone, Copy)]
struct Change {
    at: i64,
    offset: i64,
}

/// A stretch of constant offset. All members are seconds; `begin` and `end` are Unix time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Period {
    /// First instant, `i64::MIN` for the first period.
    pub(super) begin: i64,
    /// First instant of the next period, `i64::MAX` for the last one.
    pub(super) end: i64,
    /// Local time minus UTC.
    pub(super) offset: i64,
    /// The offset before `begin`; the same as `offset` for the first period.
    pub(super) offset_before: i64,
    /// The offset from `end` on; the same as `offset` for the last period.
    pub(super) offset_after: i64,
}

impl Timeline {
    /// The timeline of a zone, from memory after the first time.
    pub(super) fn of(zone: Tz) -> Arc<Timeline> {
        let mut timelines = TIMELINES.lock();
        Arc::clone(timelines.entry(zone).or_insert_with(|| Arc::new(Timeline::build(zone))))
    }

    /// The zone it belongs to.
    pub(super) fn zone(&self) -> Tz {
        self.zone
    }

    /// The periods in order, beginning with the one that holds the instant `at`.
    pub(super) fn periods_from(&self, at: i64) -> impl Iterator<Item = Period> + '_ {
        let first = self.changes.partition_point(|change| change.at <= at);
        (first..=self.changes.len()).map(|index| self.period(index))
    }

    /// Whether its offset changes after an instant.
    pub(super) fn changes_after(&self, at: i64) -> bool {
        self.changes.last().is_some_and(|change| change.at > at)
    }

    /// The local time at an instant.
    pub(super) fn local(&self, at: i64) -> i64 {
        let index = self.changes.partition_point(|change| change.at <= at);
        at + self.offset_at(index)
    }

    /// The instant of a local time: the first pass of one that comes twice, the first instant after the gap for one that
    /// does not exist.
    pub(super) fn instant(&self, local: i64) -> i64 {
        let far_before = local.saturating_sub(2 * 86_400);
        let mut periods = self.periods_from(far_before);
        let found = periods.find(|period| local < period.end.saturating_add(period.offset));
        found.map_or(local, |period| (local - period.offset).max(period.begin))
    }

    /// Whether the local time of an instant comes twice.
    pub(super) fn comes_twice(&self, at: i64) -> bool {
        let period = self.period(self.changes.partition_point(|change| change.at <= at));
        let local = at + period.offset;
        period.first_pass().contains(&local) || period.second_pass().contains(&local)
    }

    fn offset_at(&self, index: usize) -> i64 {
        index.checked_sub(1).map_or(self.first_offset, |before| self.changes[before].offset)
    }

    fn period(&self, index: usize) -> Period {
        let offset = self.offset_at(index);
        Period {
            begin: index.checked_sub(1).map_or(i64::MIN, |i| self.changes[i].at),
            end: self.changes.get(index).map_or(i64::MAX, |change| change.at),
            offset,
            offset_before: self.offset_at(index.saturating_sub(1)),
            offset_after: self.changes.get(index).map_or(offset, |change| change.offset),
        }
    }

    fn build(zone: Tz) -> Timeline {
        let first_offset = offset(zone, BEGIN);
        let (mut changes, mut before, mut at) = (Vec::new(), first_offset, BEGIN);
        while at < END {
            let next = at + STEP;
            let after = offset(zone, next);
            if after != before {
                changes.push(Change { at: change_between(zone, at, next), offset: after });
                before = after;
            }
            at = next;
        }
        changes.shrink_to_fit();
        Timeline { zone, first_offset, changes }
    }
}

impl Period {
    /// Local times that do not exist because of the change at its beginning; empty if there are none.
    pub(super) fn missing(&self) -> Range<i64> {
        self.local_change_at_begin(self.offset_before, self.offset)
    }

    /// Local times at its beginning that have happened before; empty if there are none.
    pub(super) fn second_pass(&self) -> Range<i64> {
        self.local_change_at_begin(self.offset, self.offset_before)
    }

    /// Local times at its end that will happen again; empty if there are none.
    pub(super) fn first_pass(&self) -> Range<i64> {
        if self.offset_after < self.offset { self.end + self.offset_after..self.end + self.offset } else { 0..0 }
    }

    fn local_change_at_begin(&self, low: i64, high: i64) -> Range<i64> {
        if low < high { self.begin + low..self.begin + high } else { 0..0 }
    }
}

impl fmt::Debug for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Timeline").field(&self.zone).finish()
    }
}

/// The first second of `low..=high` with another offset than `low`, where there is exactly one change.
fn change_between(zone: Tz, mut low: i64, mut high: i64) -> i64 {
    let before = offset(zone, low);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if offset(zone, middle) == before { low = middle } else { high = middle }
    }
    high
}

fn offset(zone: Tz, at: i64) -> i64 {
    let utc = DateTime::from_timestamp(at, 0).unwrap_or_default().naive_utc();
    i64::from(zone.offset_from_utc_datetime(&utc).fix().local_minus_utc())
}
