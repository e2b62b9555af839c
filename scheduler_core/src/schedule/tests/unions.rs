//! Unions and what they leave out.

use super::*;

fn daily(hour: u32) -> Value {
    json!({"kind": "cron", "expression": format!("0 {hour} * * *")})
}

#[test]
fn times_of_all_members_in_order_each_once() {
    let schedule = parsed(json!({"kind": "union", "schedules": [
        daily(9), {"kind": "cron", "expression": "0 9,17 * * 1-5"}, {"kind": "once", "at": "2026-01-01T12:00:00Z"},
    ]}));
    assert_eq!(
        utc(&schedule, "2026-01-01T00:00:00Z", 5),
        [
            "2026-01-01T09:00:00",
            "2026-01-01T12:00:00",
            "2026-01-01T17:00:00",
            "2026-01-02T09:00:00",
            "2026-01-02T17:00:00"
        ]
    );
}

#[test]
fn exclusions_leave_no_trace() {
    let schedule =
        parsed(json!({"kind": "union", "schedules": [{"kind": "cron", "expression": "*/30 * * * *"}], "except": [
            {"kind": "windows", "windows": [{"start": "12:00", "end": "13:00", "every_seconds": 3600}]},
            {"kind": "cron", "expression": "30 11 * * *"},
            {"from": "2026-01-01T13:30:00Z", "to": "2026-01-01T14:30:00Z"},
        ]}));
    assert_eq!(
        utc(&schedule, "2026-01-01T10:30:00Z", 3),
        ["2026-01-01T11:00:00", "2026-01-01T14:30:00", "2026-01-01T15:00:00"]
    );
    assert!(schedule.occurrences(at("2026-01-01T00:00:00Z"), &context()).take(100).all(|it| it.runs()));
}

/// Whatever excludes whatever: a call ends soon, and following the answers leads on.
#[test]
fn everything_excluded_ends() {
    let every_second = json!({"kind": "cron", "expression": "* * * * * *"});
    let schedule = parsed(json!({"kind": "union", "schedules": [every_second], "except": [every_second]}));
    let first = schedule.next_after(at("2026-01-01T00:00:00Z"), &context()).unwrap();
    assert_eq!(first.suppressed, Some(Suppression::Calendar));
    let second = schedule.next_after(first.at, &context()).unwrap();
    assert!(second.at > first.at && !second.runs());
}

#[test]
fn wrong_unions_are_refused() {
    let mut deep = daily(9);
    for _ in 0..6 {
        deep = json!({"kind": "union", "schedules": [deep]});
    }
    let wide: Vec<Value> = (0..6).map(|_| json!({"kind": "union", "schedules": vec![daily(9); 30]})).collect();
    let table = [
        (json!({"schedules": []}), "/schedules: no schedule is given"),
        (json!({}), "/schedules: `schedules` is missing"),
        (json!({"schedules": daily(9)}), "must be a list of at most 32 schedules, found an object"),
        (
            json!({"schedules": [daily(9), {"kind": "cron", "expression": "61 * * * *"}]}),
            "/schedules/1/expression: field 1",
        ),
        (
            json!({"schedules": [daily(9)], "except": [{"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}]}),
            "/except/0/to: ",
        ),
        (json!({"schedules": [deep]}), "unions lie in unions more than 4 deep"),
        (json!({"schedules": wide}), "schedules on all levels; allowed are 128"),
    ];
    for (mut value, expected) in table {
        value["kind"] = json!("union");
        let found = refusal(&value);
        assert!(found.contains(expected), "{value}\n  wanted {expected}\n  found  {found}");
    }
}

#[test]
fn calendars_of_members_count() {
    let mut member = daily(9);
    member["calendars"] = json!([{"name": "b"}, {"name": "a"}]);
    let schedule = parsed(json!({"kind": "union", "schedules": [member, daily(10)], "calendars": [{"name": "a"}]}));
    assert_eq!(schedule.calendar_names(), ["a", "b"]);
    let errors = schedule.check_calendars(CalendarSet::none()).unwrap_err();
    assert!(errors.iter().any(|error| error.detail == "there is no calendar \"b\""), "{errors:?}");
}

/// What is wrong with a calendar is said at the schedule that names it, however deep that lies.
#[test]
fn calendars_are_missed_where_they_are_named() {
    let using = |name: &str| json!({"kind": "cron", "expression": "0 9 * * *", "calendars": [{"name": "known"}, {"name": name}]});
    let inner = json!({"kind": "union", "schedules": [daily(7), using("b")]});
    let span = json!({"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"});
    let schedule =
        parsed(json!({"kind": "union", "schedules": [daily(8), using("a"), inner], "except": [span, using("c")],
        "calendars": [{"name": "d"}]}));
    let known = [("known".to_owned(), std::sync::Arc::new(Calendar::default()))].into_iter().collect();
    let errors = schedule.check_calendars(&known).unwrap_err();
    let pointers: Vec<_> = errors.iter().map(|error| error.pointer.as_str()).collect();
    let expected =
        ["/calendars/0", "/schedules/1/calendars/1", "/schedules/2/schedules/1/calendars/1", "/except/1/calendars/1"];
    assert_eq!(pointers, expected);
}
