//! Intervals and single times.

use super::*;

fn interval(every_seconds: u64, anchor: &str) -> Schedule {
    parsed(json!({"kind": "interval", "every_seconds": every_seconds, "anchor": anchor}))
}

#[test]
fn ticks_are_counted_from_the_anchor() {
    // 2026-01-01T00:00:00Z lies a whole number of 90 seconds after the epoch; the context starts there, too.
    let table = [
        (interval(90, "epoch"), "2026-01-01T00:00:00Z", ["2026-01-01T00:01:30", "2026-01-01T00:03:00"]),
        (interval(90, "epoch"), "2026-01-01T00:01:29.999999999Z", ["2026-01-01T00:01:30", "2026-01-01T00:03:00"]),
        (interval(90, "start"), "2026-01-01T00:00:00Z", ["2026-01-01T00:01:30", "2026-01-01T00:03:00"]),
        (
            interval(3_600, "2026-01-01T00:20:00+00:00"),
            "2026-01-01T05:00:00Z",
            ["2026-01-01T05:20:00", "2026-01-01T06:20:00"],
        ),
        // The anchor is the first tick, and nothing runs before it.
        (
            interval(3_600, "2026-06-01T02:00:00+02:00"),
            "2026-01-01T00:00:00Z",
            ["2026-06-01T00:00:00", "2026-06-01T01:00:00"],
        ),
        (interval(3_600, "start"), "2025-01-01T00:00:00Z", ["2026-01-01T00:00:00", "2026-01-01T01:00:00"]),
        (interval(7, "epoch"), "1970-01-01T00:00:00Z", ["1970-01-01T00:00:07", "1970-01-01T00:00:14"]),
    ];
    for (schedule, after, expected) in table {
        assert_eq!(utc(&schedule, after, 2), expected, "{} after {after}", schedule.describe());
    }
}

#[test]
fn the_epoch_is_the_default_anchor() {
    let schedule = parsed(json!({"kind": "interval", "every_seconds": 600, "anchor": null}));
    assert_eq!(utc(&schedule, "2026-01-01T00:01:00Z", 1), ["2026-01-01T00:10:00"]);
}

#[test]
fn nothing_drifts_in_a_million_ticks() {
    let schedule = interval(97, "2026-01-01T00:00:00.25Z");
    let later = at("2026-01-01T00:00:00.25Z") + chrono::TimeDelta::seconds(97 * 1_000_000);
    let next = schedule.next_after(later - chrono::TimeDelta::microseconds(1), &context()).unwrap();
    assert_eq!(next.at, later);
    assert_eq!(schedule.next_after(later, &context()).unwrap().at, later + chrono::TimeDelta::seconds(97));
}

#[test]
fn clock_changes_leave_intervals_alone() {
    let schedule = parsed(json!({"kind": "interval", "every_seconds": 1800, "timezone": "America/New_York"}));
    let times: Vec<_> = schedule.occurrences(at("2026-11-01T04:00:00Z"), &context()).take(8).collect();
    assert!(times.windows(2).all(|two| (two[1].at - two[0].at).num_seconds() == 1_800));
    assert!(times.iter().all(|time| time.note.is_none()));
}

#[test]
fn wrong_intervals_are_refused() {
    let table = [
        (json!({}), "/every_seconds: `every_seconds` is missing; an example: 90"),
        (
            json!({"every_seconds": 0}),
            "/every_seconds: `every_seconds` must be a whole number of seconds from 1 to 3153600000, found 0",
        ),
        (json!({"every_seconds": -5}), "found -5"),
        (json!({"every_seconds": 1.5}), "found 1.5"),
        (json!({"every_seconds": 1e300}), "found 1e+300"),
        (json!({"every_seconds": 3_153_600_001_u64}), "found 3153600001"),
        (json!({"every_seconds": "90"}), "found the string \"90\""),
        (json!({"every_seconds": [90]}), "found an array"),
        (json!({"every_seconds": 90, "anchor": "epoche"}), "\"epoche\" is no anchor: did you mean \"epoch\"?"),
        (json!({"every_seconds": 90, "anchor": "2026-01-01T00:00:00"}), "has no offset from UTC: add Z"),
        (json!({"every_seconds": 90, "anchor": 5}), "/anchor: `anchor` must be a string, found a number"),
        (json!({"every_second": 90}), "/every_second: unknown field \"every_second\": did you mean `every_seconds`?"),
    ];
    for (mut value, expected) in table {
        value["kind"] = json!("interval");
        let found = refusal(&value);
        assert!(found.contains(expected), "{value}\n  wanted {expected}\n  found  {found}");
    }
}

#[test]
fn a_single_time_comes_once() {
    let schedule = parsed(json!({"kind": "once", "at": "2026-12-24T18:00:00+01:00", "timezone": "Europe/Berlin"}));
    assert_eq!(utc(&schedule, "2026-01-01T00:00:00Z", 5), ["2026-12-24T17:00:00"]);
    assert_eq!(schedule.next_after(at("2026-12-24T17:00:00Z"), &context()), None);
    assert_eq!(schedule.describe(), "Once, at 2026-12-24T18:00:00+01:00");
    assert_eq!(schedule.warnings(at("2026-01-01T00:00:00Z")), Vec::<String>::new());
    assert_eq!(
        schedule.warnings(at("2027-01-01T00:00:00Z")),
        ["2026-12-24T18:00:00+01:00 has passed: this never runs"]
    );
}

#[test]
fn wrong_single_times_are_refused() {
    let table = [
        (json!({}), "/at: `at` is missing; an example: \"2026-12-24T18:00:00+01:00\""),
        (json!({"at": 1_798_135_200}), "/at: `at` must be a string, found a number"),
        (json!({"at": "2026-12-24T18:00:00"}), "has no offset from UTC: add Z, or an offset such as +01:00"),
        (json!({"at": "2026-12-24"}), "is not an RFC 3339 time such as \"2026-12-24T18:00:00Z\""),
        (json!({"at": "2026-02-30T00:00:00Z"}), "is not an RFC 3339 time"),
        (json!({"at": "0001-01-01T00:00:00Z"}), "allowed are the years 1970 to 9999"),
        (json!({"at": "tomorrow"}), "\"tomorrow\" is not an RFC 3339 time"),
    ];
    for (mut value, expected) in table {
        value["kind"] = json!("once");
        let found = refusal(&value);
        assert!(found.contains(expected), "{value}\n  wanted {expected}\n  found  {found}");
    }
}
