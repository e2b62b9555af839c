//! The JSON shape: kinds, members, types, zones, pointers.

use super::*;

#[test]
fn shapes_are_checked() {
    let table = [
        (
            json!("0 9 * * *"),
            ": a schedule is an object such as {\"kind\":\"cron\",\"expression\":\"0 9 * * 1-5\"}; found a string",
        ),
        (json!(null), "found null"),
        (json!([]), "found an array"),
        (json!({}), "/kind: `kind` is missing; available: cron, interval, once, rrule, windows, union"),
        (
            json!({"kind": 1}),
            "/kind: `kind` must be a string, found a number; available: cron, interval, once, rrule, windows, union",
        ),
        (
            json!({"kind": "corn"}),
            "/kind: \"corn\" is not a kind of schedule: did you mean \"cron\"? available: cron, interval, once, rrule, windows, union",
        ),
        (
            json!({"kind": "sometimes"}),
            "/kind: \"sometimes\" is not a kind of schedule; available: cron, interval, once, rrule, windows, union",
        ),
        (json!({"kind": "cron"}), "/expression: `expression` is missing; an example: \"0 9 * * 1-5\""),
        (json!({"kind": "cron", "expression": null}), "/expression: `expression` is missing"),
        (json!({"kind": "cron", "expression": 5}), "/expression: `expression` must be a string, found a number"),
        (
            json!({"kind": "cron", "expresion": "* * * * *"}),
            "/expresion: unknown field \"expresion\": did you mean `expression`? allowed are kind, expression, timezone, dst_gap, dst_fold, calendars",
        ),
        (json!({"kind": "cron", "expression": "* * * * *", "tz": "UTC"}), "/tz: unknown field \"tz\": allowed are"),
        (json!({"kind": "cron", "expression": "* * * * *", "a/b~c": 1}), "/a~1b~0c: unknown field"),
        (
            json!({"kind": "cron", "expression": "* * * * *", "dst_gap": "next"}),
            "/dst_gap: \"next\" is unknown; allowed are next_valid, shift or skip",
        ),
        (
            json!({"kind": "cron", "expression": "* * * * *", "dst_gap": "skipp"}),
            "\"skipp\" is unknown (did you mean \"skip\"?)",
        ),
        (
            json!({"kind": "cron", "expression": "* * * * *", "dst_fold": "second"}),
            "/dst_fold: \"second\" is unknown; allowed are first, last or both",
        ),
        (
            json!({"kind": "cron", "expression": "* * * * *", "dst_fold": true}),
            "/dst_fold: `dst_fold` must be a string, found a boolean",
        ),
    ];
    for (value, expected) in table {
        let found = refusal(&value);
        assert!(found.contains(expected), "{value}\n  wanted {expected}\n  found  {found}");
    }
}

#[test]
fn everything_wrong_is_reported_at_once() {
    let value = json!({"kind": "cron", "expression": "61 * * * *", "timezone": "Mars/Base", "dst_gap": "x", "zone": 1});
    let errors = Schedule::parse(&value).unwrap_err();
    let mut pointers: Vec<_> = errors.iter().map(|error| error.pointer.as_str()).collect();
    pointers.sort_unstable();
    assert_eq!(pointers, ["/dst_gap", "/expression", "/timezone", "/zone"]);
}

#[test]
fn zones_are_looked_up_and_suggested() {
    assert_eq!(cron("0 9 * * *", "Asia/Kolkata").timezone(), chrono_tz::Tz::Asia__Kolkata);
    assert_eq!(parsed(json!({"kind": "cron", "expression": "0 9 * * *"})).timezone(), chrono_tz::Tz::UTC);
    let table = [
        ("america/new_york", "did you mean \"America/New_York\"?"),
        ("America/NewYork", "did you mean \"America/New_York\"?"),
        ("New York", "did you mean \"America/New_York\"?"),
        ("berlin", "did you mean \"Europe/Berlin\"?"),
        ("Europe/Berln", "did you mean \"Europe/Berlin\"?"),
        ("PST", "did you mean \"America/Los_Angeles\"?"),
        ("+02:00", "did you mean \"Etc/GMT-2\"?"),
        ("UTC-5", "did you mean \"Etc/GMT+5\"?"),
        ("Middle-earth/Shire", "allowed are names such as \"UTC\" or \"America/New_York\""),
        ("", "\"\" is not an IANA time zone"),
    ];
    for (zone, expected) in table {
        let found = refusal(&json!({"kind": "cron", "expression": "0 9 * * *", "timezone": zone}));
        assert!(found.starts_with("/timezone: ") && found.contains(expected), "{zone}: {found}");
    }
}

/// The documented form and the parser must not drift apart.
#[test]
fn the_documented_form_is_accepted() {
    let specs = [
        ScheduleSpec::Cron {
            expression: "0 9 * * 1-5".to_owned(),
            timezone: Some("America/New_York".to_owned()),
            dst_gap: Some(DstGap::NextValid),
            dst_fold: Some(DstFold::Both),
            calendars: vec![CalendarUse { name: "c".to_owned(), mode: CalendarMode::Only, roll: Roll::Following }],
        },
        ScheduleSpec::Cron {
            expression: "@daily".to_owned(),
            timezone: None,
            dst_gap: None,
            dst_fold: None,
            calendars: Vec::new(),
        },
        ScheduleSpec::Interval {
            every_seconds: 90,
            anchor: Some("epoch".to_owned()),
            timezone: Some("UTC".to_owned()),
            calendars: Vec::new(),
        },
        ScheduleSpec::Once { at: "2026-12-24T18:00:00+01:00".to_owned(), timezone: None, calendars: Vec::new() },
        ScheduleSpec::Rrule {
            expression: "DTSTART:20260105T090000\nRRULE:FREQ=DAILY".to_owned(),
            timezone: Some("Asia/Tokyo".to_owned()),
            dst_gap: Some(DstGap::Shift),
            dst_fold: None,
            calendars: Vec::new(),
        },
        ScheduleSpec::Union {
            schedules: vec![ScheduleSpec::Windows {
                windows: vec![WindowSpec {
                    days: Some("SUN-THU".to_owned()),
                    start: "10:00".to_owned(),
                    end: "14:30".to_owned(),
                    every_seconds: 900,
                }],
                timezone: None,
                calendars: Vec::new(),
            }],
            except: vec![json!({"kind": "once", "at": "2026-12-24T18:00:00Z"})],
            timezone: None,
            calendars: Vec::new(),
        },
    ];
    for spec in specs {
        let value = serde_json::to_value(&spec).unwrap();
        parsed(value.clone());
        assert_eq!(serde_json::from_value::<ScheduleSpec>(value).unwrap(), spec);
    }
    for (name, gap) in DstGap::NAMES {
        assert_eq!(json!(gap), json!(name));
    }
    for (name, fold) in DstFold::NAMES {
        assert_eq!(json!(fold), json!(name));
    }
    assert_eq!(json!([OccurrenceNote::DstGap, OccurrenceNote::DstFold]), json!(["dst_gap", "dst_fold"]));
}

#[test]
fn schedules_travel_between_threads() {
    fn check<T: Clone + Send + Sync + 'static>() {}
    check::<Schedule>();
    assert!(!TZDB_VERSION.is_empty());
}
