//! Gaps and folds: what runs, when, and how it is marked, by class of schedule and by selected policy.

use super::*;

const NEW_YORK: &str = "America/New_York";
const BEFORE_GAP: &str = "2026-03-07T12:00:00Z"; // New York goes from 02:00 to 03:00 at 2026-03-08T07:00Z
const BEFORE_FOLD: &str = "2026-10-31T12:00:00Z"; // and from 02:00 to 01:00 at 2026-11-01T06:00Z

#[test]
fn wall_clock_in_the_gap() {
    check_local(&[
        ("30 2 * * *", NEW_YORK, BEFORE_GAP, &["2026-03-08T03:00-04:00 gap", "2026-03-09T02:30-04:00"]),
        ("0 2 * * *", NEW_YORK, BEFORE_GAP, &["2026-03-08T03:00-04:00 gap", "2026-03-09T02:00-04:00"]),
        // Several missing times run once.
        ("15,45 2 * * *", NEW_YORK, BEFORE_GAP, &["2026-03-08T03:00-04:00 gap", "2026-03-09T02:15-04:00"]),
        // One of them coincides with a time that exists.
        ("0 2,3 * * *", NEW_YORK, BEFORE_GAP, &["2026-03-08T03:00-04:00 gap", "2026-03-09T02:00-04:00"]),
        ("30 2,14 * * *", NEW_YORK, "2026-03-08T00:00:00Z", &["2026-03-08T03:00-04:00 gap", "2026-03-08T14:30-04:00"]),
        (
            "30 1-3 * * *",
            NEW_YORK,
            BEFORE_GAP,
            &["2026-03-08T01:30-05:00", "2026-03-08T03:00-04:00 gap", "2026-03-08T03:30-04:00"],
        ),
        ("0-59/30 2 * * *", NEW_YORK, BEFORE_GAP, &["2026-03-08T03:00-04:00 gap", "2026-03-09T02:00-04:00"]),
        // Asked from the last second before the change, and from the change itself.
        ("30 2 * * *", NEW_YORK, "2026-03-08T06:59:59Z", &["2026-03-08T03:00-04:00 gap"]),
        ("30 2 * * *", NEW_YORK, "2026-03-08T07:00:00Z", &["2026-03-09T02:30-04:00"]),
        // Only the seconds are every: still wall-clock.
        ("* 30 2 * * *", NEW_YORK, BEFORE_GAP, &["2026-03-08T03:00-04:00 gap", "2026-03-09T02:30-04:00"]),
        ("0 3 * * *", NEW_YORK, BEFORE_GAP, &["2026-03-08T03:00-04:00", "2026-03-09T03:00-04:00"]),
        ("30 2 8 3 *", NEW_YORK, BEFORE_GAP, &["2026-03-08T03:00-04:00 gap", "2027-03-08T02:30-05:00"]),
    ]);
}

#[test]
fn wall_clock_in_the_fold() {
    check_local(&[
        ("30 1 * * *", NEW_YORK, BEFORE_FOLD, &["2026-11-01T01:30-04:00 fold", "2026-11-02T01:30-05:00"]),
        ("0 1,2 * * *", NEW_YORK, BEFORE_FOLD, &["2026-11-01T01:00-04:00 fold", "2026-11-01T02:00-05:00"]),
        (
            "15,45 1 * * *",
            NEW_YORK,
            BEFORE_FOLD,
            &["2026-11-01T01:15-04:00 fold", "2026-11-01T01:45-04:00 fold", "2026-11-02T01:15-05:00"],
        ),
        // Resumed inside the second pass: nothing from the past, nothing twice.
        ("30 1 * * *", NEW_YORK, "2026-11-01T06:10:00Z", &["2026-11-02T01:30-05:00"]),
        ("0-59 1 * * *", NEW_YORK, "2026-11-01T05:58:00Z", &["2026-11-01T01:59-04:00 fold", "2026-11-02T01:00-05:00"]),
    ]);
}

#[test]
fn elapsed_follows_real_time() {
    check_local(&[
        (
            "*/30 * * * *",
            NEW_YORK,
            "2026-03-08T06:00:00Z",
            &["2026-03-08T01:30-05:00", "2026-03-08T03:00-04:00", "2026-03-08T03:30-04:00", "2026-03-08T04:00-04:00"],
        ),
        (
            "*/30 * * * *",
            NEW_YORK,
            "2026-11-01T04:30:00Z",
            &[
                "2026-11-01T01:00-04:00 fold",
                "2026-11-01T01:30-04:00 fold",
                "2026-11-01T01:00-05:00 fold",
                "2026-11-01T01:30-05:00 fold",
                "2026-11-01T02:00-05:00",
            ],
        ),
        (
            "@hourly",
            NEW_YORK,
            "2026-11-01T04:30:00Z",
            &["2026-11-01T01:00-04:00 fold", "2026-11-01T01:00-05:00 fold", "2026-11-01T02:00-05:00"],
        ),
        // The clock never shows an even hour between 00:00 and 04:00.
        ("0 */2 * * *", NEW_YORK, "2026-03-08T04:00:00Z", &["2026-03-08T00:00-05:00", "2026-03-08T04:00-04:00"]),
        ("*/30 2 * * *", NEW_YORK, BEFORE_GAP, &["2026-03-09T02:00-04:00", "2026-03-09T02:30-04:00"]),
        (
            "*/30 1 * * *",
            NEW_YORK,
            "2026-11-01T05:10:00Z",
            &[
                "2026-11-01T01:30-04:00 fold",
                "2026-11-01T01:00-05:00 fold",
                "2026-11-01T01:30-05:00 fold",
                "2026-11-02T01:00-05:00",
            ],
        ),
    ]);
}

#[test]
fn selected_policies() {
    let table: [(&str, &str, &str, &str, &[&str]); 13] = [
        ("30 2 * * *", "next_valid", "first", BEFORE_GAP, &["2026-03-08T03:00-04:00 gap", "2026-03-09T02:30-04:00"]),
        ("30 2 * * *", "shift", "first", BEFORE_GAP, &["2026-03-08T03:30-04:00 gap", "2026-03-09T02:30-04:00"]),
        ("30 2 * * *", "skip", "first", BEFORE_GAP, &["2026-03-09T02:30-04:00"]),
        ("15,45 2 * * *", "shift", "first", BEFORE_GAP, &["2026-03-08T03:15-04:00 gap", "2026-03-08T03:45-04:00 gap"]),
        // Shifted times and those that exist, in order and each once.
        (
            "0,30 2,3 * * *",
            "shift",
            "first",
            BEFORE_GAP,
            &["2026-03-08T03:00-04:00 gap", "2026-03-08T03:30-04:00 gap", "2026-03-09T02:00-04:00"],
        ),
        ("15 2-3 * * *", "shift", "first", "2026-03-08T07:15:00Z", &["2026-03-09T02:15-04:00"]),
        ("30 2 * * *", "shift", "first", "2026-03-08T07:20:00Z", &["2026-03-08T03:30-04:00 gap"]),
        ("30 1 * * *", "skip", "first", BEFORE_FOLD, &["2026-11-01T01:30-04:00 fold", "2026-11-02T01:30-05:00"]),
        ("30 1 * * *", "skip", "last", BEFORE_FOLD, &["2026-11-01T01:30-05:00 fold", "2026-11-02T01:30-05:00"]),
        ("30 1 * * *", "skip", "both", BEFORE_FOLD, &["2026-11-01T01:30-04:00 fold", "2026-11-01T01:30-05:00 fold"]),
        ("0 1,2 * * *", "skip", "last", BEFORE_FOLD, &["2026-11-01T01:00-05:00 fold", "2026-11-01T02:00-05:00"]),
        // An elapsed schedule takes a selected policy, too.
        (
            "*/30 * * * *",
            "skip",
            "first",
            "2026-11-01T05:10:00Z",
            &["2026-11-01T01:30-04:00 fold", "2026-11-01T02:00-05:00"],
        ),
        (
            "15 * * * *",
            "next_valid",
            "both",
            "2026-03-08T06:30:00Z",
            &["2026-03-08T03:00-04:00 gap", "2026-03-08T03:15-04:00"],
        ),
    ];
    for (expression, gap, fold, after, expected) in table {
        let schedule = parsed(
            json!({"kind": "cron", "expression": expression, "timezone": NEW_YORK, "dst_gap": gap, "dst_fold": fold}),
        );
        assert_eq!(local(&schedule, after, expected.len()), expected, "{expression} with {gap} and {fold}");
    }
}

#[test]
fn the_class_of_a_schedule() {
    let table = [
        ("30 2 * * *", false),
        ("15,45 2 * * *", false),
        ("0-59 0-23 * * *", false),
        ("5/15 0/2 * * *", false),
        ("* 30 2 * * *", false),
        ("5,* 2 * * *", false),
        ("@daily", false),
        ("*/30 2 * * *", true),
        ("0 * * * *", true),
        ("0 */2 * * *", true),
        ("*,5 2 * * *", true),
        ("@hourly", true),
    ];
    for (expression, elapsed) in table {
        let schedule = cron(expression, "UTC");
        let Kind::Cron(cron) = schedule.kind() else { panic!("{expression} is no cron schedule") };
        assert_eq!(cron.is_elapsed(), elapsed, "{expression}");
        let policies = if elapsed { (DstGap::Skip, DstFold::Both) } else { (DstGap::NextValid, DstFold::First) };
        assert_eq!((cron.dst_gap(), cron.dst_fold()), policies, "{expression}");
    }
}

/// Times that the policy leaves out are named, with the instant that they would have had.
#[test]
fn times_left_out_in_the_gap_are_reported() {
    let value = json!({"kind": "cron", "expression": "30 2 * * *", "timezone": NEW_YORK, "dst_gap": "skip"});
    let schedule = parsed(value);
    let all: Vec<_> = schedule.occurrences(at(BEFORE_GAP), &context()).take(2).collect();
    let skipped = Occurrence {
        note: Some(OccurrenceNote::DstGap),
        suppressed: Some(Suppression::DstGap),
        ..Occurrence::plain(at("2026-03-08T07:30:00Z"))
    };
    assert_eq!(all, [skipped, Occurrence::plain(at("2026-03-09T06:30:00Z"))]);
    // An elapsed schedule keeps its rhythm: where a real time takes the place, nothing is missing.
    let half_hours = cron("*/30 * * * *", NEW_YORK);
    assert!(half_hours.occurrences(at(BEFORE_GAP), &context()).take(100).all(|it| it.runs() && it.note.is_none()));
    let even_hours = cron("0 */2 * * *", NEW_YORK);
    let missing = even_hours.occurrences(at(BEFORE_GAP), &context()).find(|it| !it.runs()).unwrap();
    assert_eq!(missing.at, at("2026-03-08T07:00:00Z"), "02:00 does not exist that day");
}
