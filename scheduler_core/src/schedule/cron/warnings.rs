//! What the owner of a cron schedule may want to know: clock changes ahead, and rules that are often misread.

use chrono::{DateTime, Utc};

use super::super::policy::{DstFold, DstGap};
use super::super::timeline::Period;
use super::super::words::{or_list, ordinal};
use super::CronSchedule;
use super::days::ones;
use super::describe::ALL_HOURS;

/// How far ahead clock changes are looked at, in seconds: three years.
const AHEAD: i64 = 3 * 366 * 86_400;

/// How many clock changes are reported.
const REPORTED: usize = 2;

/// Where counting the runs of one clock change stops.
const COUNTED: usize = 10_000;

impl CronSchedule {
    pub(in super::super) fn warnings(&self, from: DateTime<Utc>) -> Vec<String> {
        let mut warnings = self.hints.clone();
        warnings.extend(self.either_day());
        warnings.extend(self.short_months());
        if self.next_after(from).is_none() {
            warnings.push(format!("no run is left after {}", from.format("%Y-%m-%dT%H:%M:%SZ")));
        }
        warnings.extend(self.clock_changes(from));
        warnings
    }

    fn either_day(&self) -> Option<String> {
        (!self.pattern.days.both).then(|| {
            "day-of-month and day-of-week are both restricted: it runs on days that match either of them".to_owned()
        })
    }

    fn short_months(&self) -> Option<String> {
        let dates = &self.pattern.days.month;
        let late_only = dates.is_plain() && dates.days.trailing_zeros() > 28;
        (late_only && self.pattern.days.both).then(|| {
            let days: Vec<String> = ones(dates.days).map(ordinal).collect();
            format!("months without a {} are left out; `L` means the last day of every month", or_list(&days))
        })
    }

    fn clock_changes(&self, from: DateTime<Utc>) -> Vec<String> {
        // Through whole hours of change, a schedule of every hour keeps its rhythm: nothing to warn of.
        let even = self.pattern.hours == ALL_HOURS && self.gap == DstGap::Skip && self.fold == DstFold::Both;
        if even {
            return Vec::new();
        }
        let until = from.timestamp() + AHEAD;
        self.timeline
            .periods_from(from.timestamp())
            .skip(1)
            .take_while(|period| period.begin < until)
            .filter_map(|period| self.clock_change(&period))
            .take(REPORTED)
            .collect()
    }

    /// The sentence about the change at the beginning of a period, if the schedule has times in it.
    fn clock_change(&self, period: &Period) -> Option<String> {
        let (gap, fold) = (period.missing(), period.second_pass());
        let (range, forward) = if gap.is_empty() { (fold, false) } else { (gap, true) };
        let first = self.pattern.first_in(range.start, range.end)?;
        let times = std::iter::successors(Some(first), |last| self.pattern.first_in(last + 1, range.end));
        let (count, last) = times.take(COUNTED).fold((0, first), |(count, _), time| (count + 1, time));
        let (old, new) = (period.begin + period.offset_before, period.begin + period.offset);
        let same_day = old.div_euclid(86_400) == new.div_euclid(86_400);
        let subject = match count {
            1 => clock(first, same_day),
            _ => format!("the {count} times from {} to {}", clock(first, same_day), clock(last, same_day)),
        };
        let (way, outcome) = if forward {
            ("forward", self.gap_outcome(count, first, period, same_day))
        } else {
            ("back", self.fold_outcome(count).to_owned())
        };
        let (old, date) = (clock(old, same_day), stamp(old, "%Y-%m-%d"));
        let (zone, new) = (self.timeline.zone(), clock(new, same_day));
        Some(format!("on {date} the clocks of {zone} go {way} from {old} to {new}: {subject} {outcome}"))
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

/// A local time as people read it; with its date where the change crosses midnight.
fn clock(local: i64, same_day: bool) -> String {
    let seconds = if local % 60 == 0 { "" } else { ":%S" };
    let date = if same_day { "" } else { "%Y-%m-%d " };
    stamp(local, &format!("{date}%H:%M{seconds}"))
}

fn stamp(local: i64, format: &str) -> String {
    DateTime::from_timestamp(local, 0).unwrap_or_default().format(format).to_string()
}
