//! Rules of hours, minutes and seconds: they run on the real time line, through clock changes.
//!
//! The times form a grid: every n-th hour (minute, second) of real time, counted from DTSTART. A point of the grid, or a
//! time within its hour or minute if BYMINUTE or BYSECOND spread it, counts when the clock on the wall passes the BY*
//! parts.

use std::sync::Arc;

use super::super::timeline::Timeline;
use super::super::wall::LocalTimes;
use super::search::CalendarRule;

/// Steps of one search, each to the next time that the clock parts allow and to the next point of the grid.
const MOST_STEPS: usize = 4_000;

/// Periods of one search for a position. All periods that hold times hold about as many.
const MOST_PERIODS: usize = 200;

/// Where counting stops: the year 10000.
const END: i64 = 253_402_300_800;

/// The times of a rule whose frequency is shorter than a day. All times are Unix seconds.
#[derive(Clone, Debug)]
pub(super) struct RealRule {
    /// What the clock on the wall must show.
    pub(super) shown: CalendarRule,
    /// Seconds from one period of the grid to the next.
    pub(super) step: i64,
    /// How much of each period counts, in seconds: 1 if only its beginning does.
    pub(super) width: i64,
    /// The beginning of one period.
    pub(super) origin: i64,
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
        self.width == 1 && self.shown.passes_everything()
    }

    fn first_from(&self, from: i64, until: i64) -> Option<i64> {
        let mut from = self.on_grid(from);
        if self.is_bare() {
            return Some(from).filter(|found| *found < until);
        }
        for _ in 0..MOST_STEPS {
            let shown = self.first_shown(from, until)?;
            let aligned = self.on_grid(shown);
            if aligned == shown {
                return Some(shown);
            }
            from = aligned;
        }
        None
    }

    /// The time itself if the grid holds it, otherwise the next period's beginning.
    fn on_grid(&self, at: i64) -> i64 {
        let within = (at - self.origin).rem_euclid(self.step);
        if within < self.width { at } else { at + self.step - within }
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
        let mut cursor = from - (from - self.origin).rem_euclid(self.step);
        for _ in 0..MOST_PERIODS {
            let first = self.first_from(cursor, until)?;
            let period = first - (first - self.origin).rem_euclid(self.step);
            let next = |at: i64| self.first_from(at, period + self.width);
            let all: Vec<i64> = std::iter::successors(Some(first), |last| next(last + 1)).collect();
            let picked = self.positions.iter().filter_map(|position| {
                let back = usize::try_from(-position).ok().and_then(|back| all.len().checked_sub(back));
                let index = if *position > 0 { usize::try_from(position - 1).ok() } else { back };
                index.and_then(|index| all.get(index)).copied()
            });
            if let Some(found) = picked.filter(|found| *found >= from).min() {
                return Some(found).filter(|found| *found < until);
            }
            cursor = period + self.step;
        }
        None
    }

    /// The time of the `count`-th occurrence; `None` when it lies beyond all that is looked at.
    pub(super) fn nth(&self, count: u32) -> Option<i64> {
        if self.is_countable() {
            return Some(self.on_grid(self.start) + i64::from(count - 1) * self.step);
        }
        let first = self.first_in(self.start, END);
        std::iter::successors(first, |last| self.first_in(last + 1, END)).nth(count as usize - 1)
    }
}
