//! Rules of hours, minutes and seconds: they run on the real time line, through clock changes.
//!
//! The times form a grid: every n-th hour (minute, second) of real time, counted from DTSTART. A point of the grid, or a
//! time within its hour or minute if BYMINUTE or BYSECOND spread it, counts when the clock on the wall passes the BY*
//! parts.

use std::sync::Arc;

use super::super::timeline::Timeline;
use super::super::wall::LocalTimes;
use super::meeting::{Grid, Stretches};
use super::search::CalendarRule;

/// Steps of one search, each to the next time that the days and the clock allow and to the next point of the grid.
const MOST_STEPS: usize = 4_000;

/// Stretches of the day whose search costs as much as a step.
const STRETCHES_A_STEP: usize = 16;

/// Periods of one search for a position. All periods that hold times hold about as many.
const MOST_PERIODS: usize = 200;

/// Where counting stops: the year 10000.
const END: i64 = 253_402_300_800;

/// The times of a rule whose frequency is shorter than a day. All times are Unix seconds.
#[derive(Clone, Debug)]
pub(super) struct RealRule {
    /// What the clock on the wall must show.
    pub(super) shown: CalendarRule,
    /// The times of the day of `shown`, in a form in which the grid finds them; none: all of them.
    pub(super) stretches: Option<Stretches>,
    pub(super) grid: Grid,
    /// BYSETPOS within each period; empty: all.
    pub(super) positions: Vec<i64>,
    /// Nothing is before it.
    pub(super) start: i64,
    /// Nothing is after it; from COUNT.
    pub(super) last: Option<i64>,
    pub(super) timeline: Arc<Timeline>,
}

impl RealRule {
    /// The first time in `from..until`.
    pub(super) fn first_in(&self, from: i64, until: i64) -> Option<i64> {
        let from = from.max(self.start);
        let until = self.last.map_or(until, |last| until.min(last.saturating_add(1)));
        if self.positions.is_empty() { self.first_from(from, until) } else { self.positioned(from, until) }
    }

    /// Whether occurrences can be counted without visiting them.
    pub(super) fn is_countable(&self) -> bool {
        self.is_bare() && self.positions.is_empty()
    }

    /// Whether every point of the grid counts, whatever the clock shows.
    fn is_bare(&self) -> bool {
        self.grid.width == 1 && self.shown.passes_everything()
    }

    fn first_from(&self, from: i64, until: i64) -> Option<i64> {
        let mut from = self.grid.at_or_after(from);
        if self.is_bare() {
            return Some(from).filter(|found| *found < until);
        }
        let stretches = self.stretches.as_ref().map_or(0, Stretches::count);
        for _ in 0..MOST_STEPS / (1 + stretches / STRETCHES_A_STEP) {
            let shown = self.first_shown(from, until)?;
            let aligned = self.grid.at_or_after(shown);
            if aligned == shown {
                return Some(shown);
            }
            from = self.first_meeting(aligned, until)?;
        }
        None
    }

    /// The first time of the grid in `from..until` at which the clock shows one of the times of the day, on whichever day.
    fn first_meeting(&self, from: i64, until: i64) -> Option<i64> {
        let Some(stretches) = &self.stretches else { return Some(from) };
        let periods = self.timeline.periods_from(from).take_while(|period| period.begin < until);
        let mut meetings = periods.filter_map(|period| {
            let found = stretches.first_meeting(&self.grid, from.max(period.begin), period.offset);
            found.filter(|found| *found < period.end)
        });
        meetings.next().filter(|found| *found < until)
    }

    /// The first instant of `from..until` at which the clock passes the BY* parts.
    fn first_shown(&self, from: i64, until: i64) -> Option<i64> {
        for period in self.timeline.periods_from(from) {
            if period.begin >= until {
                return None;
            }
            let (low, high) = (period.begin.max(from) + period.offset, period.end.min(until) + period.offset);
            if let Some(local) = self.shown.first_in(low, high) {
                return Some(local - period.offset);
            }
        }
        None
    }

    fn positioned(&self, from: i64, until: i64) -> Option<i64> {
        let mut cursor = from - (from - self.grid.origin).rem_euclid(self.grid.step);
        for _ in 0..MOST_PERIODS {
            let first = self.first_from(cursor, until)?;
            let period = first - (first - self.grid.origin).rem_euclid(self.grid.step);
            let next = |at: i64| self.first_from(at, period + self.grid.width);
            let all: Vec<i64> = std::iter::successors(Some(first), |last| next(last + 1)).collect();
            let picked = self.positions.iter().filter_map(|position| {
                let back = usize::try_from(-position).ok().and_then(|back| all.len().checked_sub(back));
                let index = if *position > 0 { usize::try_from(position - 1).ok() } else { back };
                index.and_then(|index| all.get(index)).copied()
            });
            if let Some(found) = picked.filter(|found| *found >= from).min() {
                return Some(found).filter(|found| *found < until);
            }
            cursor = period + self.grid.step;
        }
        None
    }

    /// The time of the `count`-th occurrence; `None` when it lies beyond all that is looked at.
    pub(super) fn nth(&self, count: u32) -> Option<i64> {
        if self.is_countable() {
            return Some(self.grid.at_or_after(self.start) + i64::from(count - 1) * self.grid.step);
        }
        let first = self.first_in(self.start, END);
        std::iter::successors(first, |last| self.first_in(last + 1, END)).nth(count as usize - 1)
    }
}
