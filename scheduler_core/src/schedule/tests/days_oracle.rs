//! Special days against their definitions, day by day over whole calendar cycles.

use chrono::{Datelike, Days, NaiveDate, Weekday};

use super::*;

fn is_weekday(date: NaiveDate) -> bool {
    !matches!(date.weekday(), Weekday::Sat | Weekday::Sun)
}

fn last_of_month(date: NaiveDate) -> NaiveDate {
    date.iter_days().take_while(|next| next.month() == date.month()).last().unwrap()
}

/// The weekday nearest to day `day` of the date's month, by trying ever greater distances.
fn nearest_weekday(date: NaiveDate, day: u32) -> Option<NaiveDate> {
    let wanted = date.with_day(day)?;
    let within = |candidate: NaiveDate| candidate.month() == date.month() && is_weekday(candidate);
    (0..3).flat_map(|distance| [wanted - Days::new(distance), wanted + Days::new(distance)]).find(|date| within(*date))
}

fn check(day_of_month: &str, day_of_week: &str, definition: impl Fn(NaiveDate) -> bool) {
    let schedule = cron(&format!("0 0 {day_of_month} * {day_of_week}"), "UTC");
    let first = NaiveDate::from_ymd_opt(2019, 1, 1).unwrap();
    let last = NaiveDate::from_ymd_opt(2047, 12, 31).unwrap();
    let expected: Vec<NaiveDate> =
        first.iter_days().take_while(|date| *date <= last).filter(|date| definition(*date)).collect();
    let found: Vec<NaiveDate> = schedule
        .occurrences(at("2018-12-31T00:00:00Z"), &context())
        .map(|occurrence| occurrence.at.date_naive())
        .take_while(|date| *date <= last)
        .collect();
    assert_eq!(found, expected, "{day_of_month} {day_of_week}");
}

#[test]
fn days_before_the_last() {
    check("L", "*", |date| date == last_of_month(date));
    check("LW", "*", |date| {
        let last = last_of_month(date);
        let weekday = (0..7).map(|back| last - Days::new(back)).find(|date| is_weekday(*date));
        weekday == Some(date)
    });
    for before in [1, 2, 27, 28, 29, 30] {
        check(&format!("L-{before}"), "*", |date| date + Days::new(before) == last_of_month(date));
    }
}

#[test]
fn nearest_weekdays() {
    for day in 1..=31 {
        check(&format!("{day}W"), "*", |date| nearest_weekday(date, day) == Some(date));
    }
}

#[test]
fn weeks_of_the_month() {
    for (number, name) in ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"].into_iter().enumerate() {
        let is_day = |date: NaiveDate| date.weekday().num_days_from_sunday() as usize == number;
        check("*", &format!("{name}L"), |date| is_day(date) && (date + Days::new(7)).month() != date.month());
        for nth in 1..=5 {
            let definition = |date: NaiveDate| is_day(date) && date.day().div_ceil(7) == nth;
            check("*", &format!("{number}#{nth}"), definition);
            check("1", &format!("{name}#{nth}"), |date| definition(date) || date.day() == 1);
            check("*/2", &format!("{name}#{nth}"), |date| definition(date) && date.day() % 2 == 1);
        }
    }
}
