//! Recurrence sets: examples of RFC 5545 with their printed answers, zones, refusals, words.

use super::*;

fn set(expression: &str) -> Schedule {
    parsed(json!({"kind": "rrule", "expression": expression}))
}

/// A rule from the usual start of the examples: Tuesday, 2 September 1997, 9:00 in New York.
fn example(rule: &str) -> Schedule {
    set(&format!("DTSTART;TZID=America/New_York:19970902T090000\nRRULE:{rule}"))
}

/// The first days (`MM-DD`) of an example.
fn days(rule: &str, count: usize) -> Vec<String> {
    let schedule = example(rule);
    let all = runs(&schedule, "1970-01-01T00:00:00Z").take(count);
    all.map(|it| it.at.with_timezone(&schedule.timezone()).format("%y-%m-%d").to_string()).collect()
}

fn rrule_refusal(expression: &str) -> String {
    refusal(&json!({"kind": "rrule", "expression": expression}))
}

/// The examples of section 3.8.5.3.
#[test]
fn the_examples_of_the_standard() {
    let table: [(&str, &[&str]); 22] = [
        ("FREQ=DAILY;COUNT=10", &["97-09-02", "97-09-03", "97-09-04", "97-09-05"]),
        ("FREQ=DAILY;INTERVAL=10;COUNT=5", &["97-09-02", "97-09-12", "97-09-22", "97-10-02", "97-10-12"]),
        ("FREQ=WEEKLY;INTERVAL=2;WKST=SU", &["97-09-02", "97-09-16", "97-09-30", "97-10-14"]),
        ("FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH", &["97-09-02", "97-09-04", "97-09-09", "97-09-11"]),
        (
            "FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR",
            &["97-09-03", "97-09-05", "97-09-15", "97-09-17", "97-09-19", "97-09-29"],
        ),
        ("FREQ=MONTHLY;COUNT=10;BYDAY=1FR", &["97-09-05", "97-10-03", "97-11-07", "97-12-05", "98-01-02"]),
        ("FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU", &["97-09-07", "97-09-28", "97-11-02", "97-11-30"]),
        ("FREQ=MONTHLY;COUNT=6;BYDAY=-2MO", &["97-09-22", "97-10-20", "97-11-17", "97-12-22", "98-01-19", "98-02-16"]),
        ("FREQ=MONTHLY;BYMONTHDAY=-3", &["97-09-28", "97-10-29", "97-11-28", "97-12-29", "98-01-29", "98-02-26"]),
        ("FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1", &["97-09-30", "97-10-01", "97-10-31", "97-11-01", "97-11-30"]),
        ("FREQ=YEARLY;COUNT=10;BYMONTH=6,7", &["98-06-02", "98-07-02", "99-06-02", "99-07-02"]),
        ("FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200", &["00-01-01", "00-04-09", "00-07-18", "03-01-01"]),
        ("FREQ=YEARLY;BYDAY=20MO", &["98-05-18", "99-05-17", "00-05-15"]),
        ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", &["98-05-11", "99-05-17", "00-05-15"]),
        ("FREQ=YEARLY;BYMONTH=3;BYDAY=TH", &["98-03-05", "98-03-12", "98-03-19", "98-03-26", "99-03-04"]),
        ("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", &["98-02-13", "98-03-13", "98-11-13", "99-08-13", "00-10-13"]),
        ("FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13", &["97-09-13", "97-10-11", "97-11-08", "97-12-13"]),
        ("FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8", &["97-11-04", "01-11-06", "05-11-08"]),
        ("FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", &["97-09-04", "97-10-07", "97-11-06"]),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2", &["97-09-29", "97-10-30", "97-11-27", "97-12-30"]),
        ("FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5", &["97-09-15", "97-09-30", "97-10-15", "97-10-30", "97-11-15"]),
        // Ordinals and plain weekdays in one list: either is enough.
        ("FREQ=MONTHLY;BYDAY=1MO,SU", &["97-09-07", "97-09-14", "97-09-21", "97-09-28", "97-10-05", "97-10-06"]),
    ];
    for (rule, expected) in table {
        assert_eq!(days(rule, expected.len()), expected, "{rule}");
    }
    // The two examples on the beginning of weeks.
    let weeks = |start: &str| {
        let schedule =
            set(&format!("DTSTART:19970805T090000Z RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST={start}"));
        utc(&schedule, "1970-01-01T00:00:00Z", 9).iter().map(|at| at[5..10].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(weeks("MO"), ["08-05", "08-10", "08-19", "08-24"]);
    assert_eq!(weeks("SU"), ["08-05", "08-17", "08-19", "08-31"]);
}

#[test]
fn counts_and_ends_are_inclusive() {
    let count = |rule: &str| runs(&example(rule), "1970-01-01T00:00:00Z").take(400).count();
    assert_eq!(count("FREQ=DAILY;COUNT=10"), 10);
    assert_eq!(count("FREQ=DAILY;UNTIL=19971224T000000Z"), 113);
    assert_eq!(count("FREQ=DAILY;UNTIL=19970904T130000Z"), 3);
    assert_eq!(count("FREQ=DAILY;UNTIL=19970904T125959Z"), 2);
    // A time without Z is meant in the zone of DTSTART; a date means the whole day.
    assert_eq!(count("FREQ=DAILY;UNTIL=19970904T090000"), 3);
    assert_eq!(count("FREQ=DAILY;UNTIL=19970904"), 3);
    assert_eq!(count("FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T210000Z"), 3);
    assert_eq!(count("FREQ=MINUTELY;INTERVAL=15;COUNT=6"), 6);
    assert_eq!(count("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1,-1;COUNT=7"), 7);
    assert_eq!(count("FREQ=DAILY;BYHOUR=8,9,10;BYMINUTE=0,30;COUNT=5"), 5);
}

#[test]
fn sets_of_several_lines() {
    let schedule =
        set("DTSTART:20260101T090000Z\r\nRRULE:FREQ=DAILY;COUNT=4\r\nRRULE:FREQ=WEEKLY;COUNT=2;\r\n BYDAY=FR\r\n\
         RDATE:20260102T120000Z,20260110T090000Z\r\nEXDATE:20260103T090000Z\r\n");
    let expected = ["01-01T09", "01-02T09", "01-02T12", "01-04T09", "01-09T09", "01-10T09"];
    let found: Vec<_> = utc(&schedule, "1970-01-01T00:00:00Z", 9).iter().map(|at| at[5..13].to_owned()).collect();
    assert_eq!(found, expected);
    // Without a rule, DTSTART itself is a date of the set; a date without a time has that of DTSTART.
    let dates = set(
        "DTSTART;TZID=Europe/Berlin:20260101T090000\nRDATE;VALUE=DATE:20260703\nRDATE;TZID=Asia/Tokyo:20260401T090000",
    );
    assert_eq!(
        utc(&dates, "1970-01-01T00:00:00Z", 9),
        ["2026-01-01T08:00:00", "2026-04-01T00:00:00", "2026-07-03T07:00:00"]
    );
    // An excluded date takes the whole day out, however dense the rule.
    let dense = set("DTSTART:20260101T000000Z\nRRULE:FREQ=SECONDLY\nEXDATE;VALUE=DATE:20260101,20260102");
    assert_eq!(utc(&dense, "2026-01-01T00:00:00Z", 1), ["2026-01-03T00:00:00"]);
}

#[test]
fn clock_changes_move_days_and_leave_hours_alone() {
    let new_york = |rule: &str, after: &str, count: usize| {
        local(&set(&format!("DTSTART;TZID=America/New_York:20260101T023000\nRRULE:{rule}")), after, count)
    };
    let before_gap = "2026-03-07T12:00:00Z";
    assert_eq!(new_york("FREQ=DAILY", before_gap, 2), ["2026-03-08T03:00-04:00 gap", "2026-03-09T02:30-04:00"]);
    assert_eq!(
        new_york("FREQ=DAILY;BYHOUR=1", "2026-10-31T12:00:00Z", 2),
        ["2026-11-01T01:30-04:00 fold", "2026-11-02T01:30-05:00"]
    );
    // Every real hour: no hole, nothing twice.
    assert_eq!(
        new_york("FREQ=HOURLY", "2026-03-08T06:00:00Z", 3),
        ["2026-03-08T01:30-05:00", "2026-03-08T03:30-04:00", "2026-03-08T04:30-04:00"]
    );
    assert_eq!(
        new_york("FREQ=MINUTELY;INTERVAL=30", "2026-11-01T05:10:00Z", 3),
        ["2026-11-01T01:30-04:00", "2026-11-01T01:00-05:00", "2026-11-01T01:30-05:00"]
    );
    // The clock parts of an hourly rule are what the clock shows.
    assert_eq!(
        new_york("FREQ=HOURLY;BYHOUR=1,2,3", "2026-03-08T06:00:00Z", 3),
        ["2026-03-08T01:30-05:00", "2026-03-08T03:30-04:00", "2026-03-09T01:30-04:00"]
    );
    // Selected: as the text of the standard has it, and left out.
    let selected = |gap: &str| json!({"kind": "rrule", "dst_gap": gap, "expression": "DTSTART;TZID=America/New_York:20260101T023000 RRULE:FREQ=DAILY"});
    assert_eq!(local(&parsed(selected("shift")), before_gap, 1), ["2026-03-08T03:30-04:00 gap"]);
    assert_eq!(local(&parsed(selected("skip")), before_gap, 1), ["2026-03-09T02:30-04:00"]);
    // An exception names the local time, wherever the clock change moved it.
    let excluded = set(
        "DTSTART;TZID=America/New_York:20260101T023000\nRRULE:FREQ=DAILY\nEXDATE;TZID=America/New_York:20260308T023000",
    );
    assert_eq!(local(&excluded, before_gap, 1), ["2026-03-09T02:30-04:00"]);
}

#[test]
fn far_from_the_start_is_not_far() {
    let schedule = set("DTSTART:19700101T000000Z\nRRULE:FREQ=SECONDLY;INTERVAL=7");
    assert_eq!(utc(&schedule, "2399-12-31T23:59:50Z", 1), ["2399-12-31T23:59:55"]);
    let leap = set("DTSTART:19720229T120000Z\nRRULE:FREQ=YEARLY");
    assert_eq!(utc(&leap, "2096-03-01T00:00:00Z", 2), ["2104-02-29T12:00:00", "2108-02-29T12:00:00"]);
    let counted = set("DTSTART:19700101T000000Z\nRRULE:FREQ=MINUTELY;COUNT=4000000000");
    assert_eq!(utc(&counted, "2300-01-01T00:00:00Z", 1), ["2300-01-01T00:01:00"]);
    let daily = set("DTSTART:19700101T000000Z\nRRULE:FREQ=DAILY;BYDAY=MO;COUNT=3000");
    assert_eq!(utc(&daily, "2027-06-21T00:00:00Z", 9), ["2027-06-28T00:00:00"]);
}

#[test]
fn refusals_say_where_and_what_instead() {
    let table = [
        ("", "DTSTART is missing; an example: DTSTART;TZID=America/New_York:20260105T090000"),
        ("RRULE:FREQ=DAILY", "DTSTART is missing"),
        (
            "DTSTART:20260101T090000Z\nRRULE:FREQ=DAYLY",
            "line 2 (RRULE), character 12: FREQ: \"DAYLY\" is not a frequency: did you mean DAILY?",
        ),
        ("DTSTART:20260101T090000Z\nRRULE:FREQ=DAILY;COUNT=1;UNTIL=20270101", "COUNT and UNTIL exclude each other"),
        ("DTSTART:20260101T090000Z\nRRULE:FREQ=DAILY;INTERVAL=0", "INTERVAL: \"0\" is not a whole number from 1 to"),
        ("DTSTART:20260101T090000Z\nRRULE:FREQ=DAILY;FREQ=DAILY", "character 18: \"FREQ\" is given twice"),
        (
            "DTSTART:20260101T090000Z\nRRULE:FREQ=WEEKLY;BYDAY=1MO",
            "have a meaning in MONTHLY and YEARLY only; write BYDAY=MO",
        ),
        ("DTSTART:20260101T090000Z\nRRULE:FREQ=WEEKLY;BYDAY=MON", "\"MON\" is not a weekday: did you mean MO?"),
        ("DTSTART:20260101T090000Z\nRRULE:FREQ=WEEKLY;BYDAYS=MO", "\"BYDAYS\" is not known: did you mean BYDAY?"),
        (
            "DTSTART:20260101T090000Z\nRRULE:FREQ=MONTHLY;BYMONTHDAY=32",
            "\"32\" is not allowed; allowed are 1 to 31 and -1 to -31",
        ),
        ("DTSTART:20260101T090000Z\nRRULE:FREQ=MONTHLY;BYMONTHDAY=0", "\"0\" is not allowed"),
        ("DTSTART:20260101T090000Z\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "this never runs"),
        ("DTSTART:20260101T090000Z\nRRULE:FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS picks from what other BY parts name"),
        (
            "DTSTART:20260101T090000Z\nRRULE:FREQ=DAILY;UNTIL=20250101T000000Z",
            "UNTIL (2025-01-01T00:00:00Z) lies before DTSTART",
        ),
        ("DTSTART:20260101T090000Z\nRRULE:FREQ=DAILY;", "a part is empty"),
        ("DTSTART:20260101T090000Z\nRRULE:BYDAY=MO", "FREQ is missing"),
        ("DTSTART:2026-01-01T09:00:00Z\nRRULE:FREQ=DAILY", "(without hyphens and colons)"),
        ("DTSTART;TZID=Europe/Berln:20260101T090000\nRRULE:FREQ=DAILY", "did you mean \"Europe/Berlin\"?"),
        ("DTSTART;TZID=Europe/Berlin:20260101T090000Z\nRRULE:FREQ=DAILY", "leave out TZID, or the Z"),
        ("DTSTART:20260101T090000Z\nDTSTART:20260101T090000Z", "there is a DTSTART already"),
        ("DTSTART:20260101T090000Z\nEXRULE:FREQ=DAILY", "use a union whose `except` names the rule"),
        ("DTSTART:20260101T090000Z\nRULE:FREQ=DAILY", "\"RULE\" is not known: did you mean RRULE?"),
        ("DTSTART:20260101T090000Z\nhello", "\"hello\" is no property"),
        ("DTSTART:20260101T090000Z\nRRULE:FREQ=YEARLY;BYWEEKNO=1;BYDAY=1MO", "no meaning beside BYWEEKNO"),
        ("DTSTART:20260101T090000Z\nRRULE:FREQ=MONTHLY;BYWEEKNO=1", "BYWEEKNO has a meaning in YEARLY only"),
        ("DTSTART:20260101T090000Z\nRRULE:FREQ=WEEKLY;BYMONTHDAY=1", "BYMONTHDAY has no meaning in WEEKLY"),
        ("DTSTART:20260101T090000Z\nRRULE:FREQ=DAILY;BYYEARDAY=1", "BYYEARDAY has no meaning in DAILY"),
        (
            "DTSTART:20260101T090000Z\nRRULE:FREQ=DAILY;COUNT=2\nEXDATE:20260101T090000Z,20260102T090000Z",
            "this never runs",
        ),
        (
            "DTSTART:20260101T090000Z\nRRULE:FREQ=HOURLY;BYHOUR=3;COUNT=20000",
            "COUNT=20000 is too large for this rule: allowed are 1000; use UNTIL",
        ),
        ("DTSTART:20260101T090000Z\nRRULE:FREQ=HOURLY;INTERVAL=24;BYHOUR=3", "this never runs"),
    ];
    for (expression, expected) in table {
        let found = rrule_refusal(expression);
        assert!(found.contains(expected), "{expression}\n  wanted {expected}\n  found  {found}");
    }
    let twice = json!({"kind": "rrule", "timezone": "Asia/Tokyo",
        "expression": "DTSTART;TZID=Europe/Berlin:20260101T090000\nRRULE:FREQ=DAILY"});
    assert!(
        refusal(&twice).contains("its zone is Europe/Berlin, but `timezone` says Asia/Tokyo: leave out one of them")
    );
}

#[test]
fn in_words() {
    let table = [
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR", "Every 2 weeks, on Monday and Friday, at 09:00"),
        ("FREQ=MONTHLY;BYDAY=-1FR;COUNT=10", "Every month, on the last Friday of the month, at 09:00, 10 times"),
        ("FREQ=YEARLY", "Every year, on September 2, at 09:00"),
        ("FREQ=MONTHLY;BYMONTHDAY=1,-1", "Every month, on the last day and the 1st day of the month, at 09:00"),
        (
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
            "Every month, Monday to Friday, at 09:00, only the last of these times of the month",
        ),
        ("FREQ=HOURLY;INTERVAL=3;BYDAY=SA", "Every 3 hours, on Saturday"),
        ("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "Every week, Monday to Friday, at 09:00"),
        ("FREQ=WEEKLY;BYDAY=SA,SU,MO", "Every week, Saturday to Monday, at 09:00"),
        ("FREQ=MONTHLY;BYDAY=1MO,SU", "Every month, on Sunday and the 1st Monday of the month, at 09:00"),
        ("FREQ=DAILY;BYHOUR=8,20;UNTIL=19971224T000000Z", "Every day, at 08:00 and 20:00, until 1997-12-24T00:00:00Z"),
    ];
    for (rule, expected) in table {
        let expected = format!("{expected}, from 1997-09-02 09:00 (America/New_York)");
        assert_eq!(example(rule).describe(), expected, "{rule}");
    }
    let unmatched = set("DTSTART:20260101T090000Z\nRRULE:FREQ=WEEKLY;BYDAY=MO");
    assert_eq!(
        unmatched.warnings(at("2026-01-01T00:00:00Z")),
        ["DTSTART (2026-01-01 09:00) does not match the rule and does not run itself"]
    );
    let gap = set("DTSTART;TZID=America/New_York:20260101T023000\nRRULE:FREQ=DAILY");
    assert!(gap.warnings(at("2026-01-15T00:00:00Z"))[0].ends_with("02:30 does not exist and runs at 03:00"));
}
