//! `H` and `@every`.

use std::collections::BTreeSet;

use chrono::{Datelike, Timelike};

use super::*;

fn of(template: u128) -> EvalContext<'static> {
    EvalContext::new(at("2026-01-01T00:00:00Z"), Uuid::from_u128(template))
}

/// The first run in 2026, for a template.
fn first(expression: &str, template: u128) -> DateTime<Utc> {
    cron(expression, "UTC")
        .next_after(at("2026-01-01T00:00:00Z") - chrono::TimeDelta::seconds(1), &of(template))
        .unwrap()
        .at
}

#[test]
fn a_template_keeps_its_times_and_templates_spread() {
    for template in 0..50 {
        let schedule = cron("H H * * *", "UTC");
        let times: BTreeSet<_> =
            schedule.occurrences(at("2026-01-01T00:00:00Z"), &of(template)).take(30).map(|it| it.at.time()).collect();
        assert_eq!(times.len(), 1, "the same time every day");
        // A schedule that is asked for another template answers for that one, and the first stays as it was.
        let other = schedule.next_after(at("2026-01-01T00:00:00Z"), &of(template + 1_000)).unwrap();
        assert_eq!(other.at.time(), first("H H * * *", template + 1_000).time());
    }
    let minutes: BTreeSet<_> = (0..600).map(|template| first("H 3 * * *", template).minute()).collect();
    assert_eq!(minutes.len(), 60, "every minute is used");
    let both: BTreeSet<_> = (0..600).map(|template| first("H H * * *", template).time()).collect();
    assert!(both.len() > 450, "minutes and hours are independent: {}", both.len());
}

#[test]
fn the_forms_of_h() {
    for template in 0..200 {
        assert!((1..=28).contains(&first("0 0 H * *", template).day()));
        assert!((2..=5).contains(&first("0 H(2-5) * * *", template).hour()));
        let quarter = cron("H/15 * * * *", "UTC");
        let minutes: Vec<_> =
            quarter.occurrences(at("2026-01-01T00:00:00Z"), &of(template)).take(9).map(|it| it.at.minute()).collect();
        assert!(minutes.iter().all(|minute| minute % 15 == minutes[0] % 15), "{minutes:?}");
        let range = cron("H(0-29)/10 * * * *", "UTC");
        let times: Vec<_> =
            range.occurrences(at("2026-01-01T00:59:00Z"), &of(template)).take(3).map(|it| it.at).collect();
        assert!(times.iter().all(|at| at.minute() < 30 && at.hour() == 1), "{times:?}");
    }
    // What must never change: people's times would move.
    let fixed: Vec<_> = (1..4).map(|template| first("H H H * *", template).format("%d %H:%M").to_string()).collect();
    assert_eq!(fixed, FIXED);
    let schedule = cron("H H * * *", "Asia/Tokyo");
    assert_eq!(schedule.describe(), "As `H H * * *`, each H a fixed value that the template's id decides (Asia/Tokyo)");
    let time = first("H H * * *", 7).format("At %H:%M (Asia/Tokyo)").to_string();
    assert_eq!(schedule.describe_for(Uuid::from_u128(7)), time);
    let elapsed = |expression| {
        let schedule = cron(expression, "UTC");
        matches!(schedule.kind(), Kind::Cron(cron) if cron.is_elapsed())
    };
    assert_eq!([elapsed("H/15 * * * *"), elapsed("H * * * *"), elapsed("H H * * *")], [true, true, false]);
}

const FIXED: [&str; 3] = ["28 15:24", "09 12:53", "21 11:42"];

#[test]
fn wrong_hashes_are_refused() {
    let table = [
        ("H(7-0) * * * *", "the range of \"H(7-0)\" ends before it begins"),
        ("H(0-60) * * * *", "\"60\" is out of range"),
        ("H(5) * * * *", "\"H(5)\" is not understood: `H` takes a range, such as H(0-7)"),
        ("H(0-7 * * * *", "is not understood"),
        ("0 0 H(29-31) * *", "ends after 28, up to which `H` may choose"),
        ("0 0 0 1 1 ? H", "`H` has no meaning for years"),
        ("H/0 * * * *", "a step of 0 never moves on"),
        ("HH * * * *", "\"HH\" is not a value"),
    ];
    for (expression, expected) in table {
        let found = cron_refusal(expression);
        assert!(found.contains(expected), "{expression}: {found}");
    }
}

#[test]
fn every_is_an_interval_from_the_start() {
    for (expression, seconds) in
        [("@every 90s", 90), ("@EVERY 1h30m", 5_400), ("@every 2d", 172_800), (" @every  5m ", 300)]
    {
        let schedule = cron(expression, "UTC");
        let Kind::Interval(interval) = schedule.kind() else { panic!("{expression}") };
        assert_eq!((interval.every_seconds(), interval.anchor()), (seconds, Anchor::Start), "{expression}");
    }
    for expression in ["@every", "@every 5", "@every 0s", "@every 500ms", "@every -5m", "@every 1.5h", "@every s"] {
        assert!(
            cron_refusal(expression).contains("a length of whole seconds such as 90s, 5m or 1h30m"),
            "{expression}"
        );
    }
    assert!(cron_refusal("@everyday").contains("is not known"));
    let gap = json!({"kind": "cron", "expression": "@every 5m", "dst_gap": "skip"});
    assert!(refusal(&gap).contains("/dst_gap: `@every` runs in real time"));
}
