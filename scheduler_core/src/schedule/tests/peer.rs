//! The `cron` crate beside our evaluator: agreement where the two dialects mean the same, and the cases in which they
//! do not, as ADR 0005 quotes them. When one of those fails, the crate has changed and the ADR wants a new look.

use std::str::FromStr;

use proptest::prelude::*;

use super::*;

/// What the crate answers, in the same form as [`local`], without notes.
fn peer(expression: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let schedule = ::cron::Schedule::from_str(expression).unwrap();
    let after = at(after).with_timezone(&zone.parse::<Tz>().unwrap());
    schedule.after(&after).take(count).map(|time| time.format("%Y-%m-%dT%H:%M%:z").to_string()).collect()
}

const NEW_YORK: &str = "America/New_York";

#[test]
fn grammar_in_which_the_crate_differs() {
    for refused in ["*/5 * * * *", "0 0 9 * * 0", "0 0 9 * * FRI-MON", "0 0 0 L * *", "0 0 22-2 * * *", "@midnight"] {
        assert!(::cron::Schedule::from_str(refused).is_err(), "{refused}");
        cron(refused, "UTC").describe();
    }
    let from = "2026-01-01T00:00:00Z"; // a Thursday
    // Its 1-5 are Sunday to Thursday.
    assert_eq!(peer("0 0 9 * * 1-5", "UTC", from, 2), ["2026-01-01T09:00+00:00", "2026-01-04T09:00+00:00"]);
    assert_eq!(local(&cron("0 9 * * 1-5", "UTC"), from, 2), ["2026-01-01T09:00+00:00", "2026-01-02T09:00+00:00"]);
    // It asks for both day fields: only a Friday the 13th.
    assert_eq!(peer("0 0 0 13 * FRI", "UTC", from, 1), ["2026-02-13T00:00+00:00"]);
    assert_eq!(local(&cron("0 0 13 * FRI", "UTC"), from, 1), ["2026-01-02T00:00+00:00"]);
    // It accepts what never comes.
    assert!(peer("0 0 0 31 2 *", "UTC", from, 1).is_empty());
}

#[test]
fn clock_changes_in_which_the_crate_differs() {
    // The gap: the day's run is lost.
    let gap = "2026-03-08T00:00:00Z";
    assert_eq!(peer("0 30 2 * * *", NEW_YORK, gap, 1), ["2026-03-09T02:30-04:00"]);
    assert_eq!(local(&cron("30 2 * * *", NEW_YORK), gap, 1), ["2026-03-08T03:00-04:00 gap"]);
    let midnight = "2026-04-23T12:00:00Z";
    assert_eq!(peer("0 0 0 * * *", "Africa/Cairo", midnight, 1), ["2026-04-25T00:00+03:00"]);
    // The fold: the day's run comes twice.
    let fold = "2026-10-31T12:00:00Z";
    let twice = ["2026-11-01T01:30-04:00", "2026-11-01T01:30-05:00"];
    assert_eq!(peer("0 30 1 * * *", NEW_YORK, fold, 2), twice);
    // The fold: times out of order.
    let disordered =
        ["2026-11-01T01:00-04:00", "2026-11-01T01:00-05:00", "2026-11-01T01:30-04:00", "2026-11-01T01:30-05:00"];
    assert_eq!(peer("0 */30 * * * *", NEW_YORK, "2026-11-01T04:59:00Z", 4), disordered);
    // Resumed in the second pass: a time from the past.
    assert_eq!(peer("0 */30 * * * *", NEW_YORK, "2026-11-01T06:10:00Z", 1), ["2026-11-01T01:30-04:00"]);
    assert_eq!(local(&cron("*/30 * * * *", NEW_YORK), "2026-11-01T06:10:00Z", 1), ["2026-11-01T01:30-05:00 fold"]);
}

/// A field that both dialects read alike.
fn shared(first: u32, last: u32) -> impl Strategy<Value = String> {
    prop_oneof![
        Just("*".to_owned()),
        (1..=last).prop_map(|step| format!("*/{step}")),
        (first..=last).prop_map(|value| value.to_string()),
        (first..=last, first..=last).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        (first..=last, first..=last).prop_map(|(a, b)| format!("{a},{b}")),
    ]
}

proptest! {
    /// Without clock changes and with one day field the two must agree.
    #[test]
    fn agreement_in_utc(
        second in shared(0, 59), minute in shared(0, 59), hour in shared(0, 23),
        day in shared(1, 28), month in shared(1, 12), by_weekday in any::<bool>(),
        weekday in prop::sample::select(vec!["MON", "TUE-THU", "SUN,SAT", "*"]),
        // Thirty years of a yearly rule from there on end before 2100, the last year that the crate knows.
        from in 0..3_000_000_000_i64,
    ) {
        let days = if by_weekday { format!("* {month} {weekday}") } else { format!("{day} {month} *") };
        let expression = format!("{second} {minute} {hour} {days}");
        let after = DateTime::from_timestamp(from, 0).unwrap().to_rfc3339();
        prop_assert_eq!(local(&cron(&expression, "UTC"), &after, 30), peer(&expression, "UTC", &after, 30));
    }
}
