//! A parsed expression: one bit set per field.

use super::super::times::TimeSet;
use super::days::{DayOfMonth, DayOfWeek, DayRule};
use super::field::{Field, YEARS};
use super::item::Item;

/// All that an expression says, ready for the search. Every set has at least one member.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pub(super) times: TimeSet,
    /// Bits 1 to 12.
    pub(super) months: u64,
    pub(super) days: DayRule,
    /// `None`: every year.
    pub(super) years: Option<YearSet>,
    /// Minute or hour start with `*`: by default the schedule follows real time through clock changes.
    pub(super) elapsed: bool,
}

impl Pattern {
    /// The same with the values of other items; which fields start with `*` stays as it is. The items are in the order of
    /// [`Field::ALL`] and hold no `H`.
    pub(super) fn with_items(&self, items: &[Vec<Item>; 7]) -> Pattern {
        let of = |field: Field| items[field as usize].as_slice();
        // Without a seconds field the second is 0.
        let seconds = bits(Field::Second, of(Field::Second));
        Pattern {
            times: TimeSet {
                seconds: if seconds == 0 { 1 } else { seconds },
                minutes: bits(Field::Minute, of(Field::Minute)),
                hours: bits(Field::Hour, of(Field::Hour)),
            },
            months: bits(Field::Month, of(Field::Month)),
            days: DayRule {
                month: DayOfMonth::new(of(Field::DayOfMonth)),
                week: DayOfWeek::new(of(Field::DayOfWeek)),
                both: self.days.both,
            },
            years: self.years.clone(),
            elapsed: self.elapsed,
        }
    }
}

/// A set of years.
#[derive(Clone, Debug, Default)]
pub(super) struct YearSet([u64; 3]);

impl YearSet {
    pub(super) fn insert(&mut self, year: u32) {
        let index = year.saturating_sub(YEARS.0);
        if let Some(word) = self.0.get_mut((index / 64) as usize) {
            *word |= 1 << (index % 64);
        }
    }

    /// The first member that is not before `year`.
    pub(super) fn at_or_after(&self, year: i32) -> Option<i32> {
        let from = u32::try_from(year).unwrap_or(0).saturating_sub(YEARS.0);
        let first = (from / 64) as usize;
        (first..self.0.len()).find_map(|index| {
            let low = if index == first { from % 64 } else { 0 };
            let bits = self.0[index] & (u64::MAX << low);
            let year = YEARS.0 as usize + index * 64 + bits.trailing_zeros() as usize;
            if bits == 0 { None } else { i32::try_from(year).ok() }
        })
    }

    /// Its members in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = i32> + '_ {
        std::iter::successors(self.at_or_after(0), |last| self.at_or_after(last + 1))
    }
}

/// Calls `insert` for every value of a range item; `last < first` goes round the end of the field.
pub(super) fn expand(field: Field, first: u32, last: u32, step: u32, mut insert: impl FnMut(u32)) {
    if first <= last {
        return (first..=last).step_by(step as usize).for_each(insert);
    }
    let (smallest, count) = (field.range().0, field.count());
    let start = first - smallest;
    let end = last - smallest + count;
    (start..=end).step_by(step as usize).for_each(|value| insert(smallest + value % count));
}

/// The bits of a field that knows only ranges.
pub(super) fn bits(field: Field, items: &[Item]) -> u64 {
    let mut bits = 0;
    for item in items {
        if let Item::Range { first, last, step } = *item {
            expand(field, first, last, step, |value| bits |= 1 << value);
        }
    }
    bits
}
