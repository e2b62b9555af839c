//! What the owner of a cron schedule may want to know: clock changes ahead, and rules that are often misread.

use chrono::{DateTime, Utc};

use super::super::policy::{DstFold, DstGap};
use super::super::times::ALL_HOURS;
use super::super::words::{or_list, ordinal};
use super::CronSchedule;
use super::days::ones;

impl CronSchedule {
    pub(in super::super) fn warnings(&self, from: DateTime<Utc>) -> Vec<String> {
        let mut warnings = self.hints.clone();
        warnings.extend(self.either_day());
        warnings.extend(self.short_months());
        if self.next_of(&self.pattern, from).is_none() {
            warnings.push(format!("no run is left after {}", from.format("%Y-%m-%dT%H:%M:%SZ")));
        }
        // Through whole hours of change, a schedule of every hour keeps its rhythm: nothing to warn of.
        let (gap, fold) = (self.wall.gap, self.wall.fold);
        let even = self.pattern.times.hours == ALL_HOURS && gap == DstGap::Skip && fold == DstFold::Both;
        // What each `H` is, only the template decides.
        if !even && self.hashed.is_none() {
            warnings.extend(self.wall.warnings(&self.pattern, from));
        }
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
}
