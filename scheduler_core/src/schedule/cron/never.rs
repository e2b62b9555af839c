//! Expressions that no date satisfies: refused when they are created, in bounded time.

use super::super::civil::{MONTHS, Month};
use super::super::words::{and_list, or_list, ordinal};
use super::days::ones;
use super::pattern::Pattern;

/// Any 28 consecutive years without a century in them hold every kind of year: leap or not, beginning on any weekday.
const EVERY_KIND_OF_YEAR: std::ops::Range<i32> = 2000..2028;

/// Why the pattern never runs, or `None` when it does.
pub(super) fn reason(pattern: &Pattern) -> Option<String> {
    let possible = match &pattern.years {
        Some(years) => years.iter().any(|year| runs_in(pattern, year)),
        None => EVERY_KIND_OF_YEAR.into_iter().any(|year| runs_in(pattern, year)),
    };
    (!possible).then(|| sentence(pattern))
}

fn runs_in(pattern: &Pattern, year: i32) -> bool {
    (1..=12)
        .filter(|month| pattern.months >> month & 1 == 1)
        .filter_map(|month| Month::of(year, month))
        .any(|month| pattern.days.in_month(&month) != 0)
}

fn sentence(pattern: &Pattern) -> String {
    let months: Vec<&str> =
        (1..).zip(MONTHS).filter(|(n, _)| pattern.months >> n & 1 == 1).map(|(_, name)| name).collect();
    let dates = &pattern.days.month;
    // The longest February counts: a year may be to blame for its 29th, the month is not.
    let longest = (1..=12).filter(|n| pattern.months >> n & 1 == 1).filter_map(|n| Month::of(2000, n));
    let longest = longest.map(|month| month.length).max().unwrap_or(31);
    if dates.is_plain() && dates.days.trailing_zeros() > longest {
        let days: Vec<String> = ones(dates.days).map(ordinal).collect();
        let has = if months.len() == 1 { "has" } else { "have" };
        return format!("{} {has} no {}: this never runs", and_list(&months), or_list(&days));
    }
    let years = if pattern.years.is_some() { " of the given years" } else { "" };
    match months.len() {
        12 => format!("no date{years} matches the day fields: this never runs"),
        _ => format!("no date in {}{years} matches the day fields: this never runs", and_list(&months)),
    }
}
