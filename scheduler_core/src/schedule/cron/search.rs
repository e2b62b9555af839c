//! The search over the calendar: the next local time that matches, without zones.

use chrono::Datelike;

use super::super::civil::{DAY, Month, date};
use super::super::wall::LocalTimes;
use super::pattern::Pattern;

/// Ends at the latest where it is told to: one step per month that the pattern names.
impl LocalTimes for Pattern {
    fn first_in(&self, low: i64, high: i64) -> Option<i64> {
        if low >= high {
            return None;
        }
        self.first_from(low, high).filter(|found| *found < high)
    }
}

impl Pattern {
    fn first_from(&self, from: i64, until: i64) -> Option<i64> {
        let today = from.div_euclid(DAY);
        let date = date(today)?;
        let mut month = Month::of(date.year(), date.month())?;
        if self.runs_in(&month) {
            let days = self.days.in_month(&month);
            if days >> date.day() & 1 == 1
                && let Some(time) = self.times.at_or_after(from.rem_euclid(DAY))
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
        day * DAY + self.times.first()
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
