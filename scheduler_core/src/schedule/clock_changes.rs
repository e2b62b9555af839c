//! What the next clock changes do to a schedule of local times, in sentences.

use chrono::{DateTime, Utc};

use super::policy::{DstFold, DstGap};
use super::timeline::{Period, Timeline};
use super::wall::{LocalTimes, WallClock};

/// How far ahead clock changes are looked at, in seconds: three years.
const AHEAD: i64 = 3 * 366 * 86_400;

/// How many clock changes are reported.
pub(super) const REPORTED: usize = 2;

/// Where counting the runs of one clock change stops.
const COUNTED: usize = 10_000;

impl WallClock {
    /// The next two changes that touch the times.
    pub(super) fn warnings<T: LocalTimes + ?Sized>(&self, times: &T, from: DateTime<Utc>) -> Vec<String> {
        self.timeline
            .changes_ahead(from)
            .filter_map(|period| self.clock_change(times, &period))
            .take(REPORTED)
            .collect()
    }

    /// The sentence about the change at the beginning of a period, if the schedule has times in it.
    fn clock_change<T: LocalTimes + ?Sized>(&self, times: &T, period: &Period) -> Option<String> {
        let (gap, fold) = (period.missing(), period.second_pass());
        let (range, forward) = if gap.is_empty() { (fold, false) } else { (gap, true) };
        let first = times.first_in(range.start, range.end)?;
        let all = std::iter::successors(Some(first), |last| times.first_in(last + 1, range.end));
        let (count, last) = all.take(COUNTED).fold((0, first), |(count, _), time| (count + 1, time));
        let same_day = period.changes_within_a_day();
        let subject = match count {
            1 => clock(first, same_day),
            _ => format!("the {count} times from {} to {}", clock(first, same_day), clock(last, same_day)),
        };
        let outcome = if forward {
            self.gap_outcome(count, first, period, same_day)
        } else {
            self.fold_outcome(count).to_owned()
        };
        Some(self.timeline.announced(period, &format!("{subject} {outcome}")))
    }

    fn gap_outcome(&self, count: usize, first: i64, period: &Period, same_day: bool) -> String {
        let new = period.begin + period.offset;
        let shifted = first - period.offset_before + period.offset;
        match (self.gap, count) {
            (DstGap::Skip, 1) => "does not exist and is left out".to_owned(),
            (DstGap::Skip, _) => "do not exist and are left out".to_owned(),
            (DstGap::NextValid, 1) => {
                format!("does not exist and runs at {}", clock(new, same_day))
            }
            (DstGap::NextValid, _) => {
                format!("do not exist and run once, at {}", clock(new, same_day))
            }
            (DstGap::Shift, 1) => {
                format!("does not exist and runs at {}", clock(shifted, same_day))
            }
            (DstGap::Shift, _) => {
                format!("do not exist and run from {} on", clock(shifted, same_day))
            }
        }
    }

    fn fold_outcome(&self, count: usize) -> &'static str {
        match (self.fold, count) {
            (DstFold::First, 1) => "comes twice and runs the first time only",
            (DstFold::First, _) => "come twice and run the first time only",
            (DstFold::Last, 1) => "comes twice and runs the second time only",
            (DstFold::Last, _) => "come twice and run the second time only",
            (DstFold::Both, 1) => "comes twice and runs both times",
            (DstFold::Both, _) => "come twice and run both times",
        }
    }
}

impl Timeline {
    /// What begins with the clock changes of the next three years.
    pub(super) fn changes_ahead(&self, from: DateTime<Utc>) -> impl Iterator<Item = Period> + '_ {
        let until = from.timestamp() + AHEAD;
        self.periods_from(from.timestamp()).skip(1).take_while(move |period| period.begin < until)
    }

    /// The sentence about the change at the beginning of a period and what comes of it.
    pub(super) fn announced(&self, period: &Period, consequence: &str) -> String {
        let same_day = period.changes_within_a_day();
        let (old, new) = (period.begin + period.offset_before, period.begin + period.offset);
        let way = if new > old { "forward" } else { "back" };
        let (date, old, new) = (stamp(old, "%Y-%m-%d"), clock(old, same_day), clock(new, same_day));
        format!("on {date} the clocks of {} go {way} from {old} to {new}: {consequence}", self.zone())
    }
}

impl Period {
    /// Whether the clocks show the same day before and after the change at its beginning.
    fn changes_within_a_day(&self) -> bool {
        let day = |offset: i64| (self.begin + offset).div_euclid(86_400);
        day(self.offset_before) == day(self.offset)
    }
}

/// A local time as people read it; with its date where the change crosses midnight.
fn clock(local: i64, same_day: bool) -> String {
    let seconds = if local % 60 == 0 { "" } else { ":%S" };
    let date = if same_day { "" } else { "%Y-%m-%d " };
    stamp(local, &format!("{date}%H:%M{seconds}"))
}

fn stamp(local: i64, format: &str) -> String {
    DateTime::from_timestamp(local, 0).unwrap_or_default().format(format).to_string()
}
