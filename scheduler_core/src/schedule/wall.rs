//! Local times and clock changes together: from "which times does the clock show" to instants.
//!
//! The zone's time line is a sequence of periods of constant offset. Within a period, local time is UTC plus a
//! constant, so that the search over local times answers directly. All that clock changes need is at the seams: which
//! local times of a period are a second (or first) pass, and which are missing before it.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::policy::{DstFold, DstGap};
use super::timeline::{Period, Timeline};
use super::{Occurrence, OccurrenceNote, Suppression};

/// A set of local times. They are seconds, as if local time were UTC.
pub(super) trait LocalTimes {
    /// The first of them in `low..high`.
    fn first_in(&self, low: i64, high: i64) -> Option<i64>;
}

/// Single times, in order.
impl LocalTimes for [i64] {
    fn first_in(&self, low: i64, high: i64) -> Option<i64> {
        let index = self.partition_point(|time| *time < low);
        self.get(index).copied().filter(|time| *time < high)
    }
}

/// More than local time and UTC are ever apart, in seconds.
const MARGIN: i64 = 2 * 86_400;

/// A zone, and what happens to local times that its clock changes remove or repeat.
#[derive(Clone, Debug)]
pub(super) struct WallClock {
    pub(super) timeline: Arc<Timeline>,
    pub(super) gap: DstGap,
    pub(super) fold: DstFold,
}

/// An instant, and what a clock change has to do with it.
type Found = (i64, Option<OccurrenceNote>, Option<Suppression>);

impl WallClock {
    /// The first occurrence strictly after `after` and before `until` (Unix seconds).
    pub(super) fn next_after<T: LocalTimes + ?Sized>(
        &self,
        times: &T,
        after: DateTime<Utc>,
        until: i64,
    ) -> Option<Occurrence> {
        let from = after.timestamp() + 1;
        let mut at = from;
        loop {
            let period = self.timeline.periods_from(at).next().filter(|period| period.begin < until)?;
            if let Some((at, note, suppressed)) = self.first_of(times, &period, from, until) {
                let at = DateTime::from_timestamp(at, 0)?;
                return Some(Occurrence { note, suppressed, ..Occurrence::plain(at) });
            }
            if period.end >= until {
                return None;
            }
            // Periods without any of the times are passed over: the next time may be years away.
            let next = times.first_in(period.end - MARGIN, until.saturating_add(MARGIN))?;
            at = period.end.max(next - MARGIN);
        }
    }

    /// The first instant of a period that is due in `from..until`.
    fn first_of<T: LocalTimes + ?Sized>(&self, times: &T, period: &Period, from: i64, until: i64) -> Option<Found> {
        let regular = self.regular(times, period, from, until);
        let moved = self.moved_out_of_gap(times, period, from).filter(|moved| *moved < until);
        let skipped = self.gap == DstGap::Skip;
        match (moved, regular) {
            (Some(moved), regular) if regular.is_none_or(|regular| moved < regular || moved == regular && !skipped) => {
                Some((moved, Some(OccurrenceNote::DstGap), skipped.then_some(Suppression::DstGap)))
            }
            (_, Some(regular)) => {
                let local = regular + period.offset;
                let twice = period.first_pass().contains(&local) || period.second_pass().contains(&local);
                Some((regular, twice.then_some(OccurrenceNote::DstFold), None))
            }
            (_, None) => None,
        }
    }

    /// The first local time of the period that exists and that the fold policy lets run.
    fn regular<T: LocalTimes + ?Sized>(&self, times: &T, period: &Period, from: i64, until: i64) -> Option<i64> {
        let mut low = period.begin.max(from) + period.offset;
        let mut high = period.end.min(until) + period.offset;
        match self.fold {
            DstFold::First => low = low.max(end_of(period.second_pass(), low)),
            DstFold::Last => high = high.min(start_of(period.first_pass(), high)),
            DstFold::Both => {}
        }
        times.first_in(low, high).map(|local| local - period.offset)
    }

    /// Where the gap policy puts the local times that are missing before the period. Those that are left out keep the
    /// instant that they would have if the clocks had not changed.
    fn moved_out_of_gap<T: LocalTimes + ?Sized>(&self, times: &T, period: &Period, from: i64) -> Option<i64> {
        let missing = period.missing();
        if missing.is_empty() {
            return None;
        }
        if self.gap == DstGap::NextValid {
            let due = from <= period.begin && times.first_in(missing.start, missing.end).is_some();
            return due.then_some(period.begin);
        }
        let low = missing.start.max(from.saturating_add(period.offset_before));
        times.first_in(low, missing.end).map(|local| local - period.offset_before)
    }

    /// Every instant that a local time stands for, in order: none or one, or two where it comes twice.
    pub(super) fn instants(&self, local: i64) -> Vec<i64> {
        let times: &[i64] = &[local];
        let begin = DateTime::from_timestamp(local - MARGIN, 0);
        let next = |after: DateTime<Utc>| self.next_after(times, after, local + MARGIN).map(|found| found.at);
        std::iter::successors(begin.and_then(next), |last| next(*last)).map(|at| at.timestamp()).collect()
    }
}

fn start_of(range: std::ops::Range<i64>, otherwise: i64) -> i64 {
    if range.is_empty() { otherwise } else { range.start }
}

fn end_of(range: std::ops::Range<i64>, otherwise: i64) -> i64 {
    if range.is_empty() { otherwise } else { range.end }
}
