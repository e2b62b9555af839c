//! The search over the calendar: the next local time that matches, without zones.

use chrono::Datelike;

use super::super::civil::{DAY, Month, date};
use super::pattern::Pattern;

impl Pattern {
    /// The first matching local time in `from..until`. Local times are seconds as if local time were UTC.
    ///
    /// Ends at `until` at the latest: one step per month that the pattern names.
    pub(super) fn first_in(&self, from: i64, until: i64) -> Option<i64> {
        if from >= until {
            return None;
        }
        let found = self.first_from(from, until)?;
        (found < until).then_some(found)
    }

    fn first_from(&self, from: i64, until: i64) -> Option<i64> {
        let today = from.div_euclid(DAY);
        let date = date(today)?;
        let mut month = Month::of(date.year(), date.month())?;
        if self.runs_in(&month) {
            let days = self.days.in_month(&month);
            if days >> date.day() & 1 == 1
                && let Some(time) = self.time_from(from.rem_euclid(DAY))
            {
                return Some(today * DAY + time);
            }
            let later = days & (u32::MAX << date.day() << 1);
            if later != 0 {
                return Some(self.start_of(&month, later));
            }
        }
        loop {
            month = self.next_month(&month)?;
            if month.first_day * DAY >= until {
                return None;
            }
            let days = self.days.in_month(&month);
            if days != 0 {
                return Some(self.start_of(&month, days));
            }
        }
    }

    /// The first matching time of the first of some days of a month.
    fn start_of(&self, month: &Month, days: u32) -> i64 {
        let day = month.first_day + i64::from(days.trailing_zeros()) - 1;
        let (hour, minute, second) = (first(self.hours), first(self.minutes), first(self.seconds));
        day * DAY + hour * 3_600 + minute * 60 + second
    }

    /// The first matching second of the day that is not before `from`.
    fn time_from(&self, from: i64) -> Option<i64> {
        let (hour, minute, second) = (from / 3_600, from / 60 % 60, from % 60);
        if has(self.hours, hour) {
            if has(self.minutes, minute)
                && let Some(second) = at_or_after(self.seconds, second)
            {
                return Some(hour * 3_600 + minute * 60 + second);
            }
            if let Some(minute) = at_or_after(self.minutes, minute + 1) {
                return Some(hour * 3_600 + minute * 60 + first(self.seconds));
            }
        }
        let hour = at_or_after(self.hours, hour + 1)?;
        Some(hour * 3_600 + first(self.minutes) * 60 + first(self.seconds))
    }

    fn runs_in(&self, month: &Month) -> bool {
        let year = self.years.as_ref().is_none_or(|years| years.at_or_after(month.year) == Some(month.year));
        year && self.months >> month.number & 1 == 1
    }

    /// The next month that the pattern names.
    fn next_month(&self, month: &Month) -> Option<Month> {
        let later = self.months & (u64::MAX << (month.number + 1));
        let this_year = self.years.as_ref().is_none_or(|years| years.at_or_after(month.year) == Some(month.year));
        if later != 0 && this_year {
            return Month::of(month.year, later.trailing_zeros());
        }
        let year = month.year.checked_add(1)?;
        let year = self.years.as_ref().map_or(Some(year), |years| years.at_or_after(year))?;
        Month::of(year, self.months.trailing_zeros())
    }
}

fn has(bits: u64, value: i64) -> bool {
    bits >> value & 1 == 1
}

fn first(bits: u64) -> i64 {
    i64::from(bits.trailing_zeros())
}

/// The first member that is not before `value`; `value` is at most 60.
fn at_or_after(bits: u64, value: i64) -> Option<i64> {
    let rest = bits & (u64::MAX << value);
    (rest != 0).then(|| first(rest))
}
