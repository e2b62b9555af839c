//! Rules of days and longer: the search over the calendar for the next local time, and counting without visiting.

use chrono::Datelike;

use super::super::civil::{DAY, Month, date, day_number};
use super::super::times::{ALL_HOURS, ALL_SIXTY, TimeSet};
use super::super::wall::LocalTimes;
use super::days::{ALL_MONTHS, DayFilter};

/// Months (with BYSETPOS: periods) that one search looks at: after 400 years the calendar repeats itself.
const MOST_STEPS: usize = 4_900;

/// Days from the start within which a COUNT is looked for, 600 years: what is not used up by then is as good as endless.
const COUNTED_DAYS: i64 = 600 * 366;

/// Last year that is looked at.
const LAST_YEAR: i32 = 9_999;

/// The days of every n-th period, counted from the one that holds the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rhythm {
    pub(super) unit: Unit,
    /// At least 1.
    pub(super) every: i64,
    /// The period that holds the start: a day, the first day of a week, a month (`year * 12 + month - 1`) or a year.
    pub(super) origin: i64,
}

/// The length of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Day,
    Week,
    Month,
    Year,
}

/// The local times of a rule whose frequency is a day or longer. Local times are seconds as if local time were UTC.
#[derive(Clone, Debug)]
pub(super) struct CalendarRule {
    pub(super) days: DayFilter,
    pub(super) times: TimeSet,
    pub(super) rhythm: Rhythm,
    /// BYSETPOS: which of the times of a period count; empty: all.
    pub(super) positions: Vec<i64>,
    /// Nothing is before it.
    pub(super) start: i64,
    /// Nothing is after it; from COUNT.
    pub(super) last: Option<i64>,
}

/// The selected days of one period, month by month.
struct PeriodDays(Vec<(i64, u32)>);

impl LocalTimes for CalendarRule {
    fn first_in(&self, low: i64, high: i64) -> Option<i64> {
        let low = low.max(self.start);
        let high = self.last.map_or(high, |last| high.min(last.saturating_add(1)));
        if low >= high {
            return None;
        }
        let found = if self.positions.is_empty() { self.first_from(low, high) } else { self.positioned(low, high) };
        found.filter(|found| *found < high)
    }
}

impl CalendarRule {
    /// Whether every second is among its times.
    pub(super) fn passes_everything(&self) -> bool {
        let days = &self.days;
        let no_part = days.month_days.is_none() && days.weekdays.is_none() && days.year_days.is_none();
        let all_times = TimeSet { hours: ALL_HOURS, minutes: ALL_SIXTY, seconds: ALL_SIXTY };
        no_part && days.weeks.is_none() && days.months == ALL_MONTHS && self.times == all_times
    }

    fn first_from(&self, low: i64, high: i64) -> Option<i64> {
        let (today, time) = (low.div_euclid(DAY), low.rem_euclid(DAY));
        let day = self.first_day(today, high)?;
        if day > today {
            return Some(day * DAY + self.times.first());
        }
        match self.times.at_or_after(time) {
            Some(time) => Some(day * DAY + time),
            None => Some(self.first_day(today + 1, high)? * DAY + self.times.first()),
        }
    }

    /// The first selected day that is not before `from`.
    fn first_day(&self, from: i64, high: i64) -> Option<i64> {
        let mut from = self.rhythm.aligned_from(from)?;
        for _ in 0..MOST_STEPS {
            if from * DAY >= high {
                return None;
            }
            let month = month_of(from)?;
            let days = self.days_of(&month) & (u32::MAX << (from - month.first_day + 1));
            if days != 0 {
                return Some(month.first_day + i64::from(days.trailing_zeros()) - 1);
            }
            from = self.rhythm.aligned_from(self.next_month(&month)?)?;
        }
        None
    }

    /// The first day of the next month that BYMONTH lets pass.
    fn next_month(&self, month: &Month) -> Option<i64> {
        let later = self.days.months & (u32::MAX << (month.number + 1));
        let (year, months) = if later == 0 { (month.year + 1, self.days.months) } else { (month.year, later) };
        first_of_month(i64::from(year) * 12 + i64::from(months.trailing_zeros()) - 1)
    }

    /// The selected days of a month that the rhythm names.
    fn days_of(&self, month: &Month) -> u32 {
        let days = self.days.in_month(month);
        if days == 0 { 0 } else { days & self.rhythm.in_month(month) }
    }

    /// The first time in `low..high` among those that BYSETPOS picks.
    fn positioned(&self, low: i64, high: i64) -> Option<i64> {
        // Later times of the period that holds `low` are found by going back to its beginning.
        let mut from = self.rhythm.period(low.div_euclid(DAY))?.0;
        for _ in 0..MOST_STEPS {
            let day = self.first_day(from, high)?;
            let (begin, end) = self.rhythm.period(day)?;
            let days = self.period_days(begin, end)?;
            let picked = self.positions.iter().filter_map(|position| days.time(*position, &self.times));
            if let Some(found) = picked.filter(|found| *found >= low).min() {
                return Some(found);
            }
            from = end;
        }
        None
    }

    fn period_days(&self, begin: i64, end: i64) -> Option<PeriodDays> {
        let (mut days, mut from) = (Vec::with_capacity(12), begin);
        while from < end {
            let month = month_of(from)?;
            let (first, beyond) = (from - month.first_day + 1, end - month.first_day + 1);
            let until = if beyond >= 32 { u32::MAX } else { (1 << beyond) - 1 };
            days.push((month.first_day, self.days.in_month(&month) & (u32::MAX << first) & until));
            from = month.first_day + i64::from(month.length);
        }
        Some(PeriodDays(days))
    }

    /// The local time of the `count`-th occurrence; `None` when it lies beyond all that is looked at.
    pub(super) fn nth(&self, count: u32) -> Option<i64> {
        if !self.positions.is_empty() {
            let first = self.first_in(self.start, i64::MAX);
            let mut all = std::iter::successors(first, |last| self.first_in(last + 1, i64::MAX));
            return all.nth(count as usize - 1);
        }
        let per_day = self.times.count();
        let first_day = self.start.div_euclid(DAY);
        // The part of the first day that is before the start counts as passed.
        let mut left = i64::from(count) - 1;
        if self.first_day(first_day, i64::MAX)? == first_day {
            left += per_day - self.times.count_from(self.start.rem_euclid(DAY));
        }
        let mut from = self.rhythm.aligned_from(first_day)?;
        while from < first_day + COUNTED_DAYS {
            let month = month_of(from)?;
            let mut days = self.days_of(&month) & (u32::MAX << (from - month.first_day + 1));
            let times = i64::from(days.count_ones()) * per_day;
            if left < times {
                for _ in 0..left / per_day {
                    days &= days - 1;
                }
                let day = month.first_day + i64::from(days.trailing_zeros()) - 1;
                return Some(day * DAY + self.times.nth(left % per_day)?);
            }
            left -= times;
            from = self.rhythm.aligned_from(month.first_day + i64::from(month.length))?;
        }
        None
    }
}

impl PeriodDays {
    /// The time at a position from 1, or from -1 backwards.
    fn time(&self, position: i64, times: &TimeSet) -> Option<i64> {
        let per_day = times.count();
        let days: i64 = self.0.iter().map(|(_, days)| i64::from(days.count_ones())).sum();
        let index = if position > 0 { position - 1 } else { days * per_day + position };
        if !(0..days * per_day).contains(&index) {
            return None;
        }
        let mut left = index / per_day;
        for (first_day, days) in &self.0 {
            let count = i64::from(days.count_ones());
            if left >= count {
                left -= count;
                continue;
            }
            let mut days = *days;
            for _ in 0..left {
                days &= days - 1;
            }
            let day = first_day + i64::from(days.trailing_zeros()) - 1;
            return Some(day * DAY + times.nth(index % per_day)?);
        }
        None
    }
}

impl Rhythm {
    /// The rhythm that counts from the period that holds a day. `begins_with`: with which weekday weeks do, 0 is Sunday.
    pub(super) fn new(unit: Unit, every: i64, day: i64, begins_with: u32) -> Option<Rhythm> {
        let origin = match unit {
            Unit::Day => day,
            Unit::Week => day - (day + 4 - i64::from(begins_with)).rem_euclid(7),
            Unit::Month => month_index(day)?,
            Unit::Year => i64::from(date(day)?.year()),
        };
        Some(Rhythm { unit, every, origin })
    }

    /// The first day that is not before `day` and lies in one of the periods; `None` when it is out of reach.
    fn aligned_from(&self, day: i64) -> Option<i64> {
        let (begin, end) = self.period(day)?;
        let aligned = if day < end { day.max(begin) } else { self.period_after(day)? };
        (aligned <= last_day()).then_some(aligned)
    }

    /// The period at or before a day: its first day and the day behind it.
    fn period(&self, day: i64) -> Option<(i64, i64)> {
        let floor = |value: i64| self.origin + (value - self.origin).div_euclid(self.every) * self.every;
        Some(match self.unit {
            Unit::Day => (floor(day), floor(day) + 1),
            Unit::Week => {
                let begin = self.origin + (day - self.origin).div_euclid(7 * self.every) * 7 * self.every;
                (begin, begin + 7)
            }
            Unit::Month => {
                let month = floor(month_index(day)?);
                (first_of_month(month)?, first_of_month(month + 1)?)
            }
            Unit::Year => {
                let year = floor(i64::from(date(day)?.year()));
                (first_of_month(year * 12)?, first_of_month(year * 12 + 12)?)
            }
        })
    }

    /// The first day of the period behind the one at or before `day`.
    fn period_after(&self, day: i64) -> Option<i64> {
        let (begin, _) = self.period(day)?;
        match self.unit {
            Unit::Day => Some(begin + self.every),
            Unit::Week => Some(begin + 7 * self.every),
            Unit::Month => first_of_month(month_index(begin)? + self.every),
            Unit::Year => first_of_month(month_index(begin)? + 12 * self.every),
        }
    }

    /// The days of a month that lie in one of the periods; bit n is day n. The month itself is in one of them, if the
    /// unit is a month or a year.
    fn in_month(&self, month: &Month) -> u32 {
        let (step, run) = match self.unit {
            _ if self.every == 1 => return u32::MAX,
            Unit::Month | Unit::Year => return u32::MAX,
            Unit::Day => (self.every, 1),
            Unit::Week => (7 * self.every, 7),
        };
        let mut days: u32 = 0;
        let mut begin = (self.origin - month.first_day).rem_euclid(step) - step;
        while begin < 31 {
            for day in begin.max(0)..(begin + run).min(31) {
                days |= 1 << (day + 1);
            }
            begin += step;
        }
        days
    }
}

fn month_index(day: i64) -> Option<i64> {
    date(day).map(|date| i64::from(date.year()) * 12 + i64::from(date.month0()))
}

/// The first day of a month given as `year * 12 + month - 1`.
fn first_of_month(index: i64) -> Option<i64> {
    let year = i32::try_from(index.div_euclid(12)).ok().filter(|year| *year <= LAST_YEAR + 1)?;
    Month::of(year, u32::try_from(index.rem_euclid(12)).ok()? + 1).map(|month| month.first_day)
}

fn month_of(day: i64) -> Option<Month> {
    let date = date(day)?;
    Month::of(date.year(), date.month())
}

fn last_day() -> i64 {
    chrono::NaiveDate::from_ymd_opt(LAST_YEAR, 12, 31).map_or(i64::MAX, day_number)
}
