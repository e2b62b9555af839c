//! Which days a rule selects, month by month, as one mask: all BY* parts that speak of days, together.

use super::super::civil::{Month, date, day_number};
use chrono::Datelike;

/// Five weeks of one weekday, as a factor: bit 0 to bits 0, 7, 14, 21 and 28.
const WEEKLY: u64 = 1 | 1 << 7 | 1 << 14 | 1 << 21 | 1 << 28;

/// Every month; bits 1 to 12.
pub(super) const ALL_MONTHS: u32 = 0b1_1111_1111_1110;

/// The days that a rule's BY* parts select. A part that is `None` lets every day pass.
#[derive(Clone, Debug)]
pub(super) struct DayFilter {
    /// Bits 1 to 12.
    pub(super) months: u32,
    pub(super) month_days: Option<MonthDays>,
    pub(super) weekdays: Option<Weekdays>,
    pub(super) year_days: Option<YearDays>,
    pub(super) weeks: Option<Weeks>,
}

/// Days of the month: from its beginning (bits 1 to 31) and from its end (bit 1 is the last day).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MonthDays {
    pub(super) from_first: u32,
    pub(super) from_last: u32,
}

/// Weekdays; 0 is Sunday.
#[derive(Clone, Debug, Default)]
pub(super) struct Weekdays {
    /// Those of every week.
    pub(super) every: u32,
    /// `(2, 5)` is the second Friday, `(-1, 5)` the last one.
    pub(super) nth: Vec<(i32, u32)>,
    /// Whether `nth` counts within the year rather than within the month.
    pub(super) of_year: bool,
}

/// Days of the year, from its beginning and from its end; bit 1 is the first (last) day.
#[derive(Clone, Debug, Default)]
pub(super) struct YearDays {
    pub(super) from_first: [u64; 6],
    pub(super) from_last: [u64; 6],
}

/// Weeks of the year as in ISO 8601, but beginning with any weekday.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weeks {
    /// Bits 1 to 53, from the beginning of the year.
    pub(super) from_first: u64,
    /// Bits 1 to 53, from the end of the year.
    pub(super) from_last: u64,
    /// The weekday with which a week begins; 0 is Sunday.
    pub(super) begins_with: u32,
}

impl DayFilter {
    /// The selected days of a month; bit n is day n.
    pub(super) fn in_month(&self, month: &Month) -> u32 {
        if self.months >> month.number & 1 == 0 {
            return 0;
        }
        let mut days = (u32::MAX >> (31 - month.length)) & !1;
        if let Some(it) = &self.month_days {
            days &= it.in_month(month);
        }
        if let Some(it) = &self.weekdays {
            days &= it.in_month(month);
        }
        if let Some(it) = &self.year_days {
            days &= it.in_month(month);
        }
        match &self.weeks {
            Some(it) if days != 0 => days & it.in_month(month),
            _ => days,
        }
    }
}

impl MonthDays {
    fn in_month(self, month: &Month) -> u32 {
        self.from_first | last_days(self.from_last, month.length)
    }
}

/// Bit n, counted from the end, as bit `length + 1 - n`.
fn last_days(bits: u32, length: u32) -> u32 {
    let mut days = 0;
    let mut rest = bits;
    while rest != 0 {
        let back = rest.trailing_zeros();
        rest &= rest - 1;
        if back <= length {
            days |= 1 << (length + 1 - back);
        }
    }
    days
}

impl Weekdays {
    fn in_month(&self, month: &Month) -> u32 {
        let first = month.first_weekday;
        let week = ((self.every >> first) | (self.every << (7 - first))) & 0b111_1111;
        // Bits above 31 are days that no month has.
        let mut days = ((u64::from(week) * WEEKLY) << 1) as u32;
        if self.nth.is_empty() {
            return days;
        }
        let (begin, length) = if self.of_year { year_of(month) } else { (month.first_day, i64::from(month.length)) };
        for (nth, weekday) in &self.nth {
            let day = nth_weekday(begin, length, *nth, *weekday).map(|day| day - month.first_day);
            if let Some(day @ 0..31) = day {
                days |= 1 << (day + 1);
            }
        }
        days
    }
}

/// The n-th such weekday of a stretch of days, from its end if `nth` is negative.
fn nth_weekday(begin: i64, length: i64, nth: i32, weekday: u32) -> Option<i64> {
    // 1970-01-01 was a Thursday.
    let weekday_of = |day: i64| (day + 4).rem_euclid(7);
    let weekday = i64::from(weekday);
    let day = if nth > 0 {
        begin + (weekday - weekday_of(begin)).rem_euclid(7) + 7 * i64::from(nth - 1)
    } else {
        let last = begin + length - 1;
        last - (weekday_of(last) - weekday).rem_euclid(7) + 7 * i64::from(nth + 1)
    };
    (begin..begin + length).contains(&day).then_some(day)
}

/// First day and length of the year of a month.
fn year_of(month: &Month) -> (i64, i64) {
    let leap = month.year % 4 == 0 && (month.year % 100 != 0 || month.year % 400 == 0);
    let begin = date(month.first_day).and_then(|date| date.with_ordinal(1)).map_or(month.first_day, day_number);
    (begin, 365 + i64::from(leap))
}

impl YearDays {
    fn in_month(&self, month: &Month) -> u32 {
        let (begin, length) = year_of(month);
        let has = |bits: &[u64; 6], n: i64| bits[(n / 64) as usize] >> (n % 64) & 1 == 1;
        let selected = |day: &u32| {
            let nth = month.first_day - begin + i64::from(*day);
            has(&self.from_first, nth) || has(&self.from_last, length + 1 - nth)
        };
        (1..=month.length).filter(selected).fold(0, |days, day| days | 1 << day)
    }
}

impl Weeks {
    fn in_month(&self, month: &Month) -> u32 {
        let mut days = 0;
        // The first day of the week that holds the first of the month.
        let back = (month.first_weekday + 7 - self.begins_with) % 7;
        let mut week = month.first_day - i64::from(back);
        while week < month.first_day + i64::from(month.length) {
            if self.selects(week) {
                for day in week.max(month.first_day)..(week + 7).min(month.first_day + i64::from(month.length)) {
                    days |= 1 << (day - month.first_day + 1);
                }
            }
            week += 7;
        }
        days
    }

    /// A week belongs to the year that holds its fourth day, which is most of it.
    fn selects(&self, first_day: i64) -> bool {
        let Some(middle) = date(first_day + 3) else { return false };
        let length = if middle.leap_year() { 366 } else { 365 };
        let (before, after) = (middle.ordinal0() / 7, (length - 1 - middle.ordinal0()) / 7);
        self.from_first >> (before + 1) & 1 == 1 || self.from_last >> (after + 1) & 1 == 1
    }
}
