//! Windows of the day.

use super::*;

fn windows(value: Value, zone: &str) -> Schedule {
    parsed(json!({"kind": "windows", "windows": value, "timezone": zone}))
}

#[test]
fn ticks_are_between_opening_and_closing() {
    let schedule = windows(json!([{"days": "SUN-THU", "start": "10:00", "end": "14:30", "every_seconds": 900}]), "UTC");
    // 2026-01-01 is a Thursday.
    let thursday = utc(&schedule, "2026-01-01T00:00:00Z", 20);
    assert_eq!(thursday[0], "2026-01-01T10:00:00");
    assert_eq!(thursday[18], "2026-01-01T14:30:00", "the end is inclusive");
    assert_eq!(thursday[19], "2026-01-04T10:00:00", "Friday and Saturday are free");
    assert_eq!(utc(&schedule, "2026-01-01T10:07:00Z", 1), ["2026-01-01T10:15:00"]);
    assert_eq!(schedule.describe(), "Every 15 minutes from 10:00 to 14:30, Sunday to Thursday (UTC)");
}

#[test]
fn windows_may_pass_midnight_and_be_several() {
    let schedule = windows(
        json!([
            {"days": "FRI", "start": "22:00", "end": "02:00", "every_seconds": 7200},
            {"days": ["MON", "TUE-WED"], "start": "00:00", "end": "24:00", "every_seconds": 43200},
        ]),
        "UTC",
    );
    assert_eq!(
        utc(&schedule, "2026-01-02T00:00:00Z", 6),
        [
            "2026-01-02T22:00:00",
            "2026-01-03T00:00:00",
            "2026-01-03T02:00:00",
            "2026-01-05T00:00:00",
            "2026-01-05T12:00:00",
            "2026-01-06T00:00:00"
        ]
    );
}

#[test]
fn clock_changes_make_windows_longer_or_shorter() {
    let night = windows(json!([{"start": "01:00", "end": "04:00", "every_seconds": 3600}]), "America/New_York");
    assert_eq!(
        local(&night, "2026-03-08T05:00:00Z", 4),
        ["2026-03-08T01:00-05:00", "2026-03-08T03:00-04:00", "2026-03-08T04:00-04:00", "2026-03-09T01:00-04:00"]
    );
    assert_eq!(
        local(&night, "2026-11-01T04:00:00Z", 6),
        [
            "2026-11-01T01:00-04:00 fold",
            "2026-11-01T01:00-05:00 fold",
            "2026-11-01T02:00-05:00",
            "2026-11-01T03:00-05:00",
            "2026-11-01T04:00-05:00",
            "2026-11-02T01:00-05:00"
        ]
    );
    // A window that is missing altogether opens for one tick, like a fixed time.
    let missing = windows(json!([{"start": "02:10", "end": "02:50", "every_seconds": 600}]), "America/New_York");
    assert_eq!(local(&missing, "2026-03-08T00:00:00Z", 2), ["2026-03-08T03:00-04:00 gap", "2026-03-09T02:10-04:00"]);
}

#[test]
fn the_next_clock_changes_are_announced() {
    let warnings = |window: Value, zone: &str| {
        let mut window = window;
        window["every_seconds"] = json!(600);
        windows(json!([window]), zone).warnings(at("2026-01-15T00:00:00Z"))
    };
    let forward = "on 2026-03-08 the clocks of America/New_York go forward from 02:00 to 03:00: the window";
    let back = "on 2026-11-01 the clocks of America/New_York go back from 02:00 to 01:00: the window";
    let new_york = |start: &str, end: &str| warnings(json!({"start": start, "end": end}), "America/New_York");
    assert_eq!(
        new_york("01:00", "04:00"),
        [
            format!("{forward} from 01:00 to 04:00 is open for 2 hours instead of 3 hours"),
            format!("{back} from 01:00 to 04:00 is open for 4 hours instead of 3 hours"),
        ]
    );
    assert_eq!(new_york("02:10", "02:50")[0], format!("{forward} from 02:10 to 02:50 opens at 03:00 for a single run"));
    assert_eq!(
        new_york("02:30", "03:30")[0],
        format!("{forward} from 02:30 to 03:30 is open for 30 minutes instead of 1 hour")
    );
    assert_eq!(
        new_york("01:10", "01:50")[0],
        format!("{back} from 01:10 to 01:50 comes twice and is open the first time only")
    );
    let night = format!("{forward} from 22:00 to 06:00 of the next day is open for 7 hours instead of 8 hours");
    assert_eq!(new_york("22:00", "06:00")[0], night);
    assert_eq!(new_york("10:00", "14:30"), Vec::<String>::new());
    // Only on Sundays do those clocks change.
    assert_eq!(
        warnings(json!({"days": "MON-SAT", "start": "01:00", "end": "04:00"}), "America/New_York"),
        Vec::<String>::new()
    );
    assert_eq!(warnings(json!({"start": "01:00", "end": "04:00"}), "Asia/Tokyo"), Vec::<String>::new());
}

#[test]
fn wrong_windows_are_refused() {
    let table = [
        (json!(null), "/windows: `windows` is missing; an example: [{\"days\":\"SUN-THU\""),
        (json!([]), "/windows: `windows` has 0 entries; allowed are 1 to 32"),
        (json!([5]), "/windows/0: a window is an object, found a number"),
        (json!([{"start": "10:00", "end": "11:00"}]), "/windows/0/every_seconds: `every_seconds` is missing"),
        (
            json!([{"start": "25:00", "end": "11:00", "every_seconds": 60}]),
            "/windows/0/start: \"25:00\" is not a time of day",
        ),
        (json!([{"start": "9:00", "end": "11:00", "every_seconds": 60}]), "\"9:00\" is not a time of day"),
        (json!([{"start": "10:00", "end": "10:00", "every_seconds": 60}]), "a whole day is \"00:00\" to \"24:00\""),
        (
            json!([{"days": "MO", "start": "10:00", "end": "11:00", "every_seconds": 60}]),
            "\"MO\" is not a weekday: did you mean MON?",
        ),
        (json!([{"days": "MONDAY", "start": "10:00", "end": "11:00", "every_seconds": 60}]), "did you mean MON?"),
        (json!([{"days": [], "start": "10:00", "end": "11:00", "every_seconds": 60}]), "no day is given"),
        (
            json!([{"day": "MON", "start": "10:00", "end": "11:00", "every_seconds": 60}]),
            "/windows/0/day: unknown field \"day\": did you mean `days`?",
        ),
    ];
    let selected = json!({"kind": "windows", "windows": [], "dst_gap": "skip"});
    assert!(refusal(&selected).contains("/dst_gap: windows open and close by the clock"));
    for (value, expected) in table {
        let found = refusal(&json!({"kind": "windows", "windows": value}));
        assert!(found.contains(expected), "{value}\n  wanted {expected}\n  found  {found}");
    }
}
