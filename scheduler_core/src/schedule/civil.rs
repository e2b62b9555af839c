//! The calendar as integers: months, their lengths and weekdays. No zone is involved here.

use chrono::{Datelike, NaiveDate};

/// Seconds of a civil day.
pub(super) const DAY: i64 = 86_400;

/// Day number of 1970-01-01 in chrono's count from the common era.
const EPOCH_FROM_CE: i64 = 719_163;

/// English names, Sunday first as in cron's numbers.
pub(super) const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// English names, January first.
pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// One month of one year.
#[derive(Clone, Copy, Debug)]
pub(super) struct Month {
    /// Gregorian year.
    pub(super) year: i32,
    /// 1 to 12.
    pub(super) number: u32,
    /// Days from 1970-01-01 to its first day.
    pub(super) first_day: i64,
    /// Weekday of its first day, 0 is Sunday.
    pub(super) first_weekday: u32,
    /// 28 to 31.
    pub(super) length: u32,
}

impl Month {
    /// `None` outside the years that the calendar can express.
    pub(super) fn of(year: i32, number: u32) -> Option<Month> {
        let first = NaiveDate::from_ymd_opt(year, number, 1)?;
        Some(Month {
            year,
            number,
            first_day: day_number(first),
            first_weekday: first.weekday().num_days_from_sunday(),
            length: length(year, number),
        })
    }

    /// The weekday of a day of this month, 0 is Sunday.
    pub(super) fn weekday(&self, day: u32) -> u32 {
        (self.first_weekday + day - 1) % 7
    }
}

/// The date that lies `days` after 1970-01-01.
pub(super) fn date(days: i64) -> Option<NaiveDate> {
    let from_ce = i32::try_from(days.checked_add(EPOCH_FROM_CE)?).ok()?;
    NaiveDate::from_num_days_from_ce_opt(from_ce)
}

/// Days from 1970-01-01 to a date.
pub(super) fn day_number(date: NaiveDate) -> i64 {
    i64::from(date.num_days_from_ce()) - EPOCH_FROM_CE
}

fn length(year: i32, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
