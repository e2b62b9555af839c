//! How day-of-month and day-of-week combine, the special days, and dates that never come.

use super::*;

/// The next days (at midnight UTC) of the two day fields.
fn days(day_of_month: &str, month: &str, day_of_week: &str, after: &str, count: usize) -> Vec<String> {
    let schedule = cron(&format!("0 0 {day_of_month} {month} {day_of_week}"), "UTC");
    let occurrences = schedule.occurrences(at(&format!("{after}T00:00:00Z")), &context());
    occurrences.take(count).map(|occurrence| occurrence.at.format("%Y-%m-%d").to_string()).collect()
}

/// One row: day-of-month, month, day-of-week, after, the next days.
type Row<'a> = (&'a str, &'a str, &'a str, &'a str, &'a [&'a str]);

fn check(table: &[Row<'_>]) {
    for (day_of_month, month, day_of_week, after, expected) in table {
        let found = days(day_of_month, month, day_of_week, after, expected.len());
        assert_eq!(found, *expected, "{day_of_month} {month} {day_of_week}");
    }
}

#[test]
fn both_day_fields() {
    check(&[
        // Both restricted: either matches.
        ("13", "*", "5", "2026-01-31", &["2026-02-06", "2026-02-13", "2026-02-20", "2026-02-27", "2026-03-06"]),
        ("1,15", "*", "MON", "2026-01-13", &["2026-01-15", "2026-01-19", "2026-01-26", "2026-02-01"]),
        ("L", "*", "WED", "2026-01-25", &["2026-01-28", "2026-01-31", "2026-02-04"]),
        ("1-31", "*", "1", "2026-01-01", &["2026-01-02", "2026-01-03", "2026-01-04"]),
        ("1", "*", "1,*", "2026-01-01", &["2026-01-02", "2026-01-03"]),
        // One field starts with `*`: both must match.
        ("*/2", "*", "1", "2026-01-01", &["2026-01-05", "2026-01-19", "2026-02-09", "2026-02-23"]),
        ("13", "*", "*/5", "2026-01-01", &["2026-02-13", "2026-03-13", "2026-09-13"]),
        ("*,5", "*", "1", "2026-01-01", &["2026-01-05", "2026-01-12"]),
        ("1", "*", "*,1", "2026-01-01", &["2026-02-01", "2026-03-01"]),
        ("*/100,1-7", "*", "MON", "2026-01-01", &["2026-01-05", "2026-02-02", "2026-03-02"]),
        ("?", "*", "1", "2026-01-01", &["2026-01-05", "2026-01-12"]),
        ("13", "*", "?", "2026-01-01", &["2026-01-13", "2026-02-13"]),
    ]);
}

#[test]
fn special_days() {
    check(&[
        ("L", "*", "*", "2026-01-01", &["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]),
        ("L", "2", "*", "2027-01-01", &["2027-02-28", "2028-02-29"]),
        ("L-3", "*", "*", "2026-01-01", &["2026-01-28", "2026-02-25"]),
        ("L-30", "*", "*", "2026-01-01", &["2026-03-01", "2026-05-01"]),
        // The last of the month is a Saturday, then a Sunday.
        ("LW", "*", "*", "2026-01-01", &["2026-01-30", "2026-02-27", "2026-03-31", "2026-04-30", "2026-05-29"]),
        // 15 February and 15 March 2026 are Sundays, 15 August is a Saturday.
        ("15W", "*", "*", "2026-01-31", &["2026-02-16", "2026-03-16", "2026-04-15"]),
        ("15W", "8", "*", "2026-01-01", &["2026-08-14"]),
        // Never into another month: Saturday the 1st becomes Monday the 3rd, Sunday the 31st Friday the 29th.
        ("1W", "8", "*", "2026-01-01", &["2026-08-03"]),
        ("31W", "5", "*", "2026-01-01", &["2026-05-29"]),
        // A short month has no 29th, and no weekday nearest to it.
        ("29W", "2", "*", "2026-01-01", &["2028-02-29", "2032-02-27"]),
        ("1,15,L", "*", "*", "2026-01-20", &["2026-01-31", "2026-02-01", "2026-02-15", "2026-02-28"]),
        ("*", "*", "1#1", "2026-01-01", &["2026-01-05", "2026-02-02"]),
        ("*", "*", "THU#1,THU#5", "2025-12-31", &["2026-01-01", "2026-01-29", "2026-02-05"]),
        ("*", "*", "5#5", "2026-02-01", &["2026-05-29", "2026-07-31"]),
        ("*", "*", "5L", "2026-01-01", &["2026-01-30", "2026-02-27"]),
        ("*", "*", "SUNL", "2026-01-01", &["2026-01-25", "2026-02-22"]),
        ("*", "*", "MON,FRIL", "2026-01-25", &["2026-01-26", "2026-01-30", "2026-02-02"]),
    ]);
}

#[test]
fn rare_dates_come() {
    check(&[
        ("29", "2", "*", "2026-01-01", &["2028-02-29", "2032-02-29"]),
        ("29", "2", "*", "2096-03-01", &["2104-02-29", "2108-02-29"]),
        // A Sunday (`*/7`) that is the 29th of February.
        ("29", "2", "*/7", "2026-01-01", &["2032-02-29", "2060-02-29", "2088-02-29", "2128-02-29"]),
        ("31", "*", "*", "2026-01-31", &["2026-03-31", "2026-05-31"]),
    ]);
}

#[test]
fn impossible_dates_are_refused_with_a_reason() {
    let table = [
        ("0 0 30 2 *", "February has no 30th: this never runs"),
        ("0 0 31 2 *", "February has no 31st: this never runs"),
        ("0 0 30,31 2 *", "February has no 30th or 31st: this never runs"),
        ("0 0 31 2,4,6,9,11 *", "February, April, June, September and November have no 31st: this never runs"),
        ("0 0 30W 2 *", "no date in February matches the day fields: this never runs"),
        ("0 0 L-29 2 *", "no date in February matches the day fields: this never runs"),
        ("0 0 */100 * MON#2", "no date matches the day fields: this never runs"),
        ("0 0 0 29 2 ? 2026,2027", "no date in February of the given years matches the day fields: this never runs"),
        ("0 0 0 29 2 ? 2097-2099", "no date in February of the given years"),
    ];
    for (expression, expected) in table {
        let found = cron_refusal(expression);
        assert!(found.contains(expected), "{expression}: {found}");
    }
    // Possible after all: the other day field, a leap year, the 28th of a leap year's `L-28`.
    for expression in ["0 0 30 2 1", "0 0 0 29 2 ? 2028", "0 0 L-28 2 *", "0 0 29 2 MON#5"] {
        cron(expression, "UTC");
    }
}
