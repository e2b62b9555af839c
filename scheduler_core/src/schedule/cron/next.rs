//! Calendar and clock changes together: the next instant of a cron schedule.
//!
//! The zone's time line is a sequence of periods of constant offset. Within a period, local time is UTC plus a
//! constant, so that the calendar search answers directly. All that clock changes need is at the seams: which local
//! times of a period are a second (or first) pass, and which are missing before it.

use chrono::{DateTime, Utc};

use super::super::policy::{DstFold, DstGap};
use super::super::timeline::Period;
use super::super::{Occurrence, OccurrenceNote};
use super::CronSchedule;

/// How far the search looks, in seconds: 200 years. The rarest legal date (29 February on a given weekday) comes at
/// least every 40 years, and the year field ends in 2099.
const HORIZON: i64 = 200 * 366 * 86_400;

impl CronSchedule {
    pub(in super::super) fn next_after(&self, after: DateTime<Utc>) -> Option<Occurrence> {
        let from = after.timestamp() + 1;
        let until = from + HORIZON;
        let periods = self.timeline.periods_from(from).take_while(|period| period.begin < until);
        for period in periods {
            if let Some((at, note)) = self.first_of(&period, from, until) {
                return Some(Occurrence { note, ..Occurrence::plain(DateTime::from_timestamp(at, 0)?) });
            }
        }
        None
    }

    /// The first instant of a period that is due in `from..until`.
    fn first_of(&self, period: &Period, from: i64, until: i64) -> Option<(i64, Option<OccurrenceNote>)> {
        let regular = self.regular(period, from, until);
        let moved = self.moved_out_of_gap(period, from);
        match (moved, regular) {
            (Some(moved), regular) if regular.is_none_or(|regular| moved <= regular) => {
                Some((moved, Some(OccurrenceNote::DstGap)))
            }
            (_, Some(regular)) => {
                let local = regular + period.offset;
                let twice = period.first_pass().contains(&local) || period.second_pass().contains(&local);
                Some((regular, twice.then_some(OccurrenceNote::DstFold)))
            }
            (_, None) => None,
        }
    }

    /// The first local time of the period that exists and that the fold policy lets run.
    fn regular(&self, period: &Period, from: i64, until: i64) -> Option<i64> {
        let mut low = period.begin.max(from) + period.offset;
        let mut high = period.end.min(until) + period.offset;
        match self.fold {
            DstFold::First => low = low.max(end_of(period.second_pass(), low)),
            DstFold::Last => high = high.min(start_of(period.first_pass(), high)),
            DstFold::Both => {}
        }
        self.pattern.first_in(low, high).map(|local| local - period.offset)
    }

    /// Where the gap policy puts the local times that are missing before the period.
    fn moved_out_of_gap(&self, period: &Period, from: i64) -> Option<i64> {
        let missing = period.missing();
        if missing.is_empty() {
            return None;
        }
        match self.gap {
            DstGap::Skip => None,
            DstGap::NextValid if from > period.begin => None,
            DstGap::NextValid => self.pattern.first_in(missing.start, missing.end).map(|_| period.begin),
            DstGap::Shift => {
                // As if the clocks had not changed: by the offset from before.
                let low = missing.start.max(from.saturating_add(period.offset_before));
                self.pattern.first_in(low, missing.end).map(|local| local - period.offset_before)
            }
        }
    }
}

fn start_of(range: std::ops::Range<i64>, otherwise: i64) -> i64 {
    if range.is_empty() { otherwise } else { range.start }
}

fn end_of(range: std::ops::Range<i64>, otherwise: i64) -> i64 {
    if range.is_empty() { otherwise } else { range.end }
}
