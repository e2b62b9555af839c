//! Which days of a month match, as one mask: day-of-month and day-of-week together.

use super::super::civil::Month;
use super::field::Field;
use super::item::Item;
use super::pattern::expand;

/// Five weeks of one weekday, as a factor: bit 0 to bits 0, 7, 14, 21 and 28.
const WEEKLY: u64 = 1 | 1 << 7 | 1 << 14 | 1 << 21 | 1 << 28;

const WEEKDAY_BITS: u32 = 0b111_1111;

/// The days that an expression selects. In masks of days, bit n is day n of the month.
#[derive(Clone, Debug)]
pub(super) struct DayRule {
    pub(super) month: DayOfMonth,
    pub(super) week: DayOfWeek,
    /// Both fields must match; otherwise one is enough. Cron's rule: both, if one of the fields starts with `*`.
    pub(super) both: bool,
}

/// The day-of-month field.
#[derive(Clone, Debug, Default)]
pub(super) struct DayOfMonth {
    /// Bits 1 to 31.
    pub(super) days: u32,
    /// Bit n: n days before the last day.
    pub(super) before_last: u32,
    /// Bits 1 to 31: the weekday nearest to that day.
    pub(super) nearest: u32,
    /// The last weekday of the month.
    pub(super) last_weekday: bool,
}

/// The day-of-week field. Bit 0 is Sunday.
#[derive(Clone, Debug, Default)]
pub(super) struct DayOfWeek {
    pub(super) days: u32,
    /// The first, second … fifth such weekday of the month.
    pub(super) nth: [u32; 5],
    /// The last such weekday of the month.
    pub(super) last: u32,
}

impl DayRule {
    /// The matching days of a month.
    pub(super) fn in_month(&self, month: &Month) -> u32 {
        let (by_date, by_weekday) = (self.month.in_month(month), self.week.in_month(month));
        if self.both { by_date & by_weekday } else { by_date | by_weekday }
    }
}

impl DayOfMonth {
    pub(super) fn new(items: &[Item]) -> Self {
        let mut rule = DayOfMonth::default();
        for item in items {
            match *item {
                Item::Range { first, last, step } => {
                    expand(Field::DayOfMonth, first, last, step, |day| rule.days |= 1 << day);
                }
                Item::LastDay { before } => rule.before_last |= 1 << before,
                Item::NearestWeekday { day } => rule.nearest |= 1 << day,
                Item::LastWeekday => rule.last_weekday = true,
                Item::Nth { .. } | Item::LastOfWeekday { .. } | Item::Hash { .. } => {}
            }
        }
        rule
    }

    /// Whether it names days by number only.
    pub(super) fn is_plain(&self) -> bool {
        self.before_last == 0 && self.nearest == 0 && !self.last_weekday
    }

    fn in_month(&self, month: &Month) -> u32 {
        let mut days = self.days & days_up_to(month.length);
        if self.is_plain() {
            return days;
        }
        for before in ones(self.before_last) {
            // `L-30` of a month of 30 days is day 0, which is not a day.
            days |= (1 << month.length.saturating_sub(before)) & !1;
        }
        for day in ones(self.nearest).filter(|day| *day <= month.length) {
            days |= 1 << nearest_weekday(month, day);
        }
        if self.last_weekday {
            days |= 1 << nearest_weekday(month, month.length);
        }
        days
    }
}

impl DayOfWeek {
    pub(super) fn new(items: &[Item]) -> Self {
        let mut rule = DayOfWeek::default();
        for item in items {
            match *item {
                Item::Range { first, last, step } => {
                    expand(Field::DayOfWeek, first, last, step, |day| rule.days |= 1 << (day % 7));
                }
                Item::Nth { weekday, nth } => rule.nth[nth as usize - 1] |= 1 << (weekday % 7),
                Item::LastOfWeekday { weekday } => rule.last |= 1 << (weekday % 7),
                Item::LastDay { .. } | Item::NearestWeekday { .. } | Item::LastWeekday | Item::Hash { .. } => {}
            }
        }
        rule
    }

    /// Whether it names weekdays of every week only.
    pub(super) fn is_plain(&self) -> bool {
        self.last == 0 && self.nth == [0; 5]
    }

    fn in_month(&self, month: &Month) -> u32 {
        // Bit 0 of `week` is the weekday of the 1st: seven days as the month lays them out.
        let week = u64::from(from_weekday(self.days, month.first_weekday));
        let mut days = (week * WEEKLY) << 1;
        if !self.is_plain() {
            for (index, nth) in (0..).zip(self.nth) {
                days |= u64::from(from_weekday(nth, month.first_weekday)) << (7 * index + 1);
            }
            let last_week = month.length - 6;
            days |= u64::from(from_weekday(self.last, month.weekday(last_week))) << last_week;
        }
        // The mask keeps bits up to 31 only, so that the cut loses nothing.
        (days & u64::from(days_up_to(month.length))) as u32
    }
}

/// Bits 1 to `length`.
fn days_up_to(length: u32) -> u32 {
    (u32::MAX >> (31 - length)) & !1
}

/// A set of weekdays (bit 0 is Sunday) counted from another weekday.
fn from_weekday(days: u32, first: u32) -> u32 {
    ((days >> first) | (days << (7 - first))) & WEEKDAY_BITS
}

/// The weekday (Monday to Friday) nearest to a day without leaving its month.
fn nearest_weekday(month: &Month, day: u32) -> u32 {
    match month.weekday(day) {
        6 if day == 1 => 3,
        6 => day - 1,
        0 if day == month.length => day - 2,
        0 => day + 1,
        _ => day,
    }
}

/// The positions of the bits that are set.
pub(super) fn ones(mut bits: u32) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let position = bits.trailing_zeros();
        bits &= bits.wrapping_sub(1);
        (position < 32).then_some(position)
    })
}
