//! Calendars: what they hold, what they exclude, and how times roll.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{Datelike, Days, NaiveDate, NaiveTime};
use proptest::prelude::*;

use super::*;

fn calendar(value: Value) -> Calendar {
    Calendar::parse(&value).unwrap_or_else(|errors| panic!("{value}: {errors:?}"))
}

fn named(calendars: &[(&str, Value)]) -> CalendarSet {
    calendars.iter().map(|(name, value)| ((*name).to_owned(), Arc::new(calendar(value.clone())))).collect()
}

/// Daily at nine under calendars; answers as `MM-DD`, with ` !` for those that do not run and ` <MM-DD` for rolled ones.
fn nine_o_clock(uses: Value, set: &CalendarSet, after: &str, count: usize) -> Vec<String> {
    let value = json!({"kind": "cron", "expression": "0 9 * * *", "calendars": uses});
    let schedule = parsed(value);
    schedule.check_calendars(set).unwrap();
    let context = context().with_calendars(set);
    let all: Vec<_> = schedule.occurrences(at(after), &context).take(count).collect();
    let shown = |it: &Occurrence| {
        let rolled = it.rolled_from.map(|from| format!(" <{}", from.format("%m-%d"))).unwrap_or_default();
        format!("{}{}{rolled}", it.at.format("%m-%d"), if it.runs() { "" } else { " !" })
    };
    all.iter().map(shown).collect()
}

#[test]
fn excluded_times_are_named_and_do_not_run() {
    let set = named(&[("holidays", json!({"dates": ["2026-01-02"], "yearly": ["01-04"]}))]);
    let uses = json!([{"name": "holidays"}]);
    assert_eq!(nine_o_clock(uses, &set, "2026-01-01T00:00:00Z", 4), ["01-01", "01-02 !", "01-03", "01-04 !"]);
    let business = named(&[(
        "business",
        json!({"weekdays": ["MON", "TUE", "WED", "THU", "FRI"], "except": {"dates": ["2026-01-05"]}}),
    )]);
    let uses = json!([{"name": "business", "use": "only"}]);
    // 2026-01-02 is a Friday.
    assert_eq!(
        nine_o_clock(uses, &business, "2026-01-02T00:00:00Z", 5),
        ["01-02", "01-03 !", "01-04 !", "01-05 !", "01-06"]
    );
    let maintenance =
        named(&[("window", json!({"windows": [{"from": "2026-01-02T08:00:00Z", "to": "2026-01-02T10:00:00Z"}]}))]);
    let uses = json!([{"name": "window"}]);
    assert_eq!(nine_o_clock(uses, &maintenance, "2026-01-01T00:00:00Z", 3), ["01-01", "01-02 !", "01-03"]);
}

#[test]
fn times_roll_to_free_days() {
    // A Sunday to Tuesday that is free: 2026-01-04 to 2026-01-06.
    let set = named(&[("holidays", json!({"ranges": [{"from": "2026-01-04", "to": "2026-01-06"}]}))]);
    let monthly = |roll: &str, dates: &str| {
        let value = json!({"kind": "cron", "expression": format!("0 9 {dates} * *"),
            "calendars": [{"name": "holidays", "roll": roll}]});
        let schedule = parsed(value);
        let context = context().with_calendars(&set);
        let first: Vec<_> = schedule.occurrences(at("2026-01-01T00:00:00Z"), &context).take(2).collect();
        first
            .iter()
            .map(|it| format!("{}{}", it.at.format("%m-%d"), if it.rolled_from.is_some() { " rolled" } else { "" }))
            .collect::<Vec<_>>()
    };
    assert_eq!(monthly("following", "5"), ["01-07 rolled", "02-05"]);
    assert_eq!(monthly("preceding", "5"), ["01-03 rolled", "02-05"]);
    assert_eq!(monthly("nearest", "4"), ["01-03 rolled", "02-04"]);
    assert_eq!(monthly("nearest", "5"), ["01-07 rolled", "02-05"]);
    assert_eq!(monthly("nearest", "6"), ["01-07 rolled", "02-06"]);
    // Two that meet are one; one that meets a day's own time is that time.
    assert_eq!(monthly("following", "4,5"), ["01-07 rolled", "02-04"]);
    assert_eq!(monthly("following", "5,7"), ["01-07", "02-05"]);
    let end = named(&[("holidays", json!({"ranges": [{"from": "2026-01-30", "to": "2026-02-01"}]}))]);
    let value = json!({"kind": "cron", "expression": "0 9 31 1 *",
        "calendars": [{"name": "holidays", "roll": "modified_following"}]});
    let context = context().with_calendars(&end);
    let found = parsed(value).next_after(at("2026-01-01T00:00:00Z"), &context).unwrap();
    assert_eq!((found.at, found.rolled_from), (at("2026-01-29T09:00:00Z"), Some(at("2026-01-31T09:00:00Z"))));
}

#[test]
fn a_calendar_that_blocks_everything_suppresses() {
    let set = named(&[("all", json!({"weekdays": ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]}))]);
    let uses = json!([{"name": "all", "roll": "following"}]);
    assert_eq!(nine_o_clock(uses, &set, "2026-01-01T00:00:00Z", 2), ["01-01 !", "01-02 !"]);
}

#[test]
fn missing_calendars_are_an_error_and_no_panic() {
    let schedule = parsed(json!({"kind": "cron", "expression": "0 9 * * *", "calendars": [{"name": "us-holiday"}]}));
    let set = named(&[("us-holidays", json!({}))]);
    let errors = schedule.check_calendars(&set).unwrap_err();
    assert_eq!(
        errors[0].to_string(),
        "/calendars/0: there is no calendar \"us-holiday\": did you mean \"us-holidays\"?"
    );
    assert_eq!(schedule.next_after(at("2026-01-01T00:00:00Z"), &context()), None);
    let windows =
        named(&[("us-holiday", json!({"windows": [{"from": "2026-01-02T08:00:00Z", "to": "2026-01-02T10:00:00Z"}]}))]);
    let rolling =
        json!({"kind": "cron", "expression": "0 9 * * *", "calendars": [{"name": "us-holiday", "roll": "following"}]});
    let errors = parsed(rolling).check_calendars(&windows).unwrap_err();
    assert!(errors[0].detail.contains("only whole days can be rolled"), "{errors:?}");
}

/// A time that does not run for another reason stays where it is, and takes none of the others with it.
#[test]
fn times_that_do_not_run_anyway_do_not_roll() {
    // Saturday to Monday are free; the one member leaves its times of Sunday out by itself.
    let set = named(&[
        ("holidays", json!({"ranges": [{"from": "2026-01-03", "to": "2026-01-05"}]})),
        ("sundays", json!({"weekdays": ["SUN"]})),
    ]);
    let member = |hours: &str, calendars: Value| json!({"kind": "cron", "expression": format!("0 {hours} * * *"), "calendars": calendars});
    let schedule = parsed(json!({"kind": "union",
        "schedules": [member("6,10", json!([{"name": "sundays"}])), member("8", json!([]))],
        "calendars": [{"name": "holidays", "roll": "following"}]}));
    let context = context().with_calendars(&set);
    let all = |after: &str| -> Vec<String> {
        let shown = |it: Occurrence| format!("{}{}", it.at.format("%d %H"), if it.runs() { "" } else { " !" });
        let times = schedule.occurrences(at(after), &context).take_while(|it| it.at < at("2026-01-07T00:00:00Z"));
        times.map(shown).collect()
    };
    let expected = ["02 10", "04 06 !", "04 10 !", "06 06", "06 08", "06 10"];
    assert_eq!(all("2026-01-02T09:00:00Z"), expected);
    // Wherever one begins.
    for (after, passed) in [("2026-01-04T05:00:00Z", 1), ("2026-01-04T07:00:00Z", 2), ("2026-01-05T12:00:00Z", 3)] {
        assert_eq!(all(after), expected[passed..], "{after}");
    }
    // Of two calendars the first decides; a day that it takes out is no obstacle to the next one.
    let set =
        named(&[("out", json!({"dates": ["2026-01-03"]})), ("moved", json!({"dates": ["2026-01-03", "2026-01-04"]}))]);
    let uses = json!([{"name": "out"}, {"name": "moved", "roll": "following"}]);
    let nine = |after: &str| nine_o_clock(uses.clone(), &set, after, 2);
    assert_eq!(nine("2026-01-03T09:00:00Z"), ["01-05", "01-06"]);
    let early = parsed(json!({"kind": "cron", "expression": "0 9 3,4 1 *", "calendars": uses}));
    let context = super::context().with_calendars(&set);
    let next = early.next_after(at("2026-01-04T12:00:00Z"), &context).unwrap();
    assert_eq!((next.at, next.rolled_from), (at("2026-01-05T09:00:00Z"), Some(at("2026-01-04T09:00:00Z"))));
}

#[test]
fn wrong_calendars_are_refused() {
    let table = [
        (json!([]), ": a calendar is an object such as"),
        (json!({"dates": "2026-01-01"}), "/dates: `dates` must be a list, found a string"),
        (json!({"dates": ["2026-02-30"]}), "/dates/0: \"2026-02-30\" is not a date such as \"2026-12-25\""),
        (json!({"yearly": ["13-01"]}), "/yearly/0: \"13-01\" is not a day of the year such as \"12-25\""),
        (json!({"ranges": [{"from": "2026-01-02", "to": "2026-01-01"}]}), "/ranges/0: `to` lies before `from`"),
        (json!({"weekdays": ["SATURDAY"]}), "/weekdays/0: \"SATURDAY\" is not a weekday: did you mean SAT?"),
        (json!({"except": {"date": []}}), "/except/date: unknown field \"date\": did you mean `dates`?"),
        (json!({"windows": [{"from": "2026-01-02T00:00:00Z"}]}), "/windows/0: `to` is missing"),
        (json!({"holidays": []}), "/holidays: unknown field \"holidays\""),
    ];
    for (value, expected) in table {
        let found = Calendar::parse(&value).unwrap_err();
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert!(found.join("\n").contains(expected), "{value}: {found:?}");
    }
    for (uses, expected) in [
        (json!({}), "/calendars: `calendars` must be a list"),
        (json!([{}]), "/calendars/0/name: `name` is missing"),
        (
            json!([{"name": "a", "use": "excluded"}]),
            "/calendars/0/use: \"excluded\" is unknown (did you mean \"exclude\"?)",
        ),
        (json!([{"name": "a", "roll": "next"}]), "/calendars/0/roll: \"next\" is unknown"),
    ] {
        let found = refusal(&json!({"kind": "cron", "expression": "0 9 * * *", "calendars": uses}));
        assert!(found.contains(expected), "{found}");
    }
}

#[test]
fn a_calendar_survives_its_own_form() {
    let value = json!({"dates": ["2026-01-01", "2026-01-02", "2026-03-01"], "yearly": ["12-25", "02-29"], "weekdays": ["SAT", "SUN"],
        "ranges": [{"from": "2026-08-01", "to": "2026-08-14"}], "except": {"dates": ["2026-08-08"]},
        "windows": [{"from": "2026-01-02T08:00:00Z", "to": "2026-01-02T10:00:00Z"}]});
    let first = calendar(value);
    assert_eq!(calendar(first.to_value()), first);
}

const ICS: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nX-WR-CALNAME:Holidays: all\r\n\
BEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20261224\r\nDTEND;VALUE=DATE:20261227\r\nSUMMARY:Days at the\r\n  end\r\nEND:VEVENT\r\n\
BEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20200101\r\nRRULE:FREQ=YEARLY\r\nSUMMARY:New Year\r\nEND:VEVENT\r\n\
BEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20260101\r\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH;COUNT=2\r\nEND:VEVENT\r\n\
BEGIN:VEVENT\r\nDTSTART;TZID=Europe/Berlin:20260701T220000\r\nDURATION:PT2H\r\nRRULE:FREQ=DAILY;COUNT=2\r\nEND:VEVENT\r\n\
BEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20260505\r\nSTATUS:CANCELLED\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

#[test]
fn icalendar_files_become_calendars() {
    let found = Calendar::from_ics(ICS).unwrap();
    let expected = calendar(json!({"ranges": [{"from": "2026-12-24", "to": "2026-12-26"}], "yearly": ["01-01"],
        "dates": ["2026-11-26", "2027-11-25"], "windows": [
            {"from": "2026-07-01T20:00:00Z", "to": "2026-07-01T22:00:00Z"},
            {"from": "2026-07-02T20:00:00Z", "to": "2026-07-02T22:00:00Z"}]}));
    assert_eq!(found, expected);
    for (text, expected) in [
        ("hello", "line 1: \"hello\" is no property of a calendar"),
        ("VERSION:2.0", "BEGIN:VCALENDAR is missing"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260101", "END:VEVENT is missing"),
        (
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:2026\nEND:VEVENT",
            "line 3 (DTSTART), character 9: \"2026\" is not a date",
        ),
        (
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260101\nRRULE:FREQ=X\nEND:VEVENT",
            "line 4 (RRULE), character 12: FREQ: \"X\"",
        ),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260101\nDURATION:1D\nEND:VEVENT", "is no duration such as P1D"),
    ] {
        let found = Calendar::from_ics(text).unwrap_err();
        assert!(found[0].detail.contains(expected), "{text}: {found:?}");
    }
}

/// What rolling means, day by day and without any thought of efficiency.
fn rolled(days: &BTreeSet<NaiveDate>, blocked: &BTreeSet<NaiveDate>, roll: &str) -> BTreeSet<NaiveDate> {
    let step = |day: NaiveDate, by: i64| day + chrono::TimeDelta::days(by);
    let target = |day: NaiveDate| {
        if !blocked.contains(&day) {
            return Some(day);
        }
        let following = (1..=100).map(|by| step(day, by)).find(|day| !blocked.contains(day));
        let preceding = (1..=100).map(|by| step(day, -by)).find(|day| !blocked.contains(day));
        match roll {
            "following" => following,
            "preceding" => preceding,
            "modified_following" => following.filter(|to| to.month() == day.month()).or(preceding),
            "nearest" => (1..=100).flat_map(|by| [step(day, by), step(day, -by)]).find(|day| !blocked.contains(day)),
            _ => None,
        }
    };
    days.iter().filter_map(|day| target(*day)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn rolling_agrees_with_its_definition(
        blocked in prop::collection::btree_set(0..120u64, 0..70),
        dates in prop::collection::btree_set(1..29u32, 1..6),
        roll in prop::sample::select(&["following", "preceding", "modified_following", "nearest"][..]),
    ) {
        let begin = NaiveDate::from_ymd_opt(2026, 1, 1).unwrap();
        let blocked: BTreeSet<_> = blocked.into_iter().map(|n| begin + Days::new(n)).collect();
        let texts: Vec<String> = blocked.iter().map(ToString::to_string).collect();
        let set = named(&[("c", json!({"dates": texts}))]);
        let days = dates.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let schedule = parsed(json!({"kind": "cron", "expression": format!("0 9 {days} * *"), "timezone": "America/New_York",
            "calendars": [{"name": "c", "roll": roll}]}));
        let context = context().with_calendars(&set);
        let nominal: BTreeSet<_> = (0..400).map(|n| NaiveDate::from_ymd_opt(2025, 9, 1).unwrap() + Days::new(n))
            .filter(|day| dates.contains(&day.day())).collect();
        let end = NaiveDate::from_ymd_opt(2026, 7, 1).unwrap();
        let expected: Vec<_> = rolled(&nominal, &blocked, roll).into_iter().filter(|day| *day >= begin && *day < end).collect();
        let found: Vec<_> = schedule.occurrences(at("2026-01-01T05:00:00Z"), &context)
            .map(|it| it.at.with_timezone(&schedule.timezone()).naive_local())
            .take_while(|local| local.date() < end).collect();
        prop_assert!(found.iter().all(|local| local.time() == NaiveTime::from_hms_opt(9, 0, 0).unwrap()));
        prop_assert_eq!(found.iter().map(|local| local.date()).collect::<Vec<_>>(), expected);
    }
}
