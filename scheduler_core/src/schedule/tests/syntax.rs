//! The grammar of cron expressions: what is accepted and what it means, what is refused and how.

use super::*;

/// Two expressions that must mean the same.
#[test]
fn different_spellings_mean_the_same() {
    let pairs = [
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * 0"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@hourly", "0 * * * *"),
        ("@Hourly", "0 * * * *"),
        ("0 9 * * 1-5", "0 9 * * MON-FRI"),
        ("0 9 * * mon-fri", "0 9 * * Mon-Fri"),
        ("0 9 * * 0", "0 9 * * 7"),
        ("0 9 * * 0", "0 9 * * SUN"),
        ("0 9 * * FRI-MON", "0 9 * * 0,1,5,6"),
        ("0 9 * * 5-1", "0 9 * * 0,1,5,6"),
        ("0 9 * * 5-7", "0 9 * * 0,5,6"),
        ("0 9 * * 5-0", "0 9 * * 0,5,6"),
        ("0 9 * * 7-2", "0 9 * * 0-2"),
        ("0 9 * * 0-7", "0 9 * * *"),
        ("0 9 * * FRI-MON/2", "0 9 * * 5,0"),
        ("0 9 * * 1/2", "0 9 * * 1,3,5,7"),
        ("0 9 * * */2", "0 9 * * 0,2,4,6"),
        ("0 22-2 * * *", "0 0,1,2,22,23 * * *"),
        ("0 22-2/2 * * *", "0 0,2,22 * * *"),
        ("50-10/10 3 * * *", "0,10,50 3 * * *"),
        ("0 0 30-2 * *", "0 0 1,2,30,31 * *"),
        ("0 0 1 NOV-FEB *", "0 0 1 1,2,11,12 *"),
        ("0 0 1 jan,JUL *", "0 0 1 1,7 *"),
        ("5/15 3 * * *", "5,20,35,50 3 * * *"),
        ("50/15 3 * * *", "50 3 * * *"),
        ("0 4-23/24 * * *", "0 4 * * *"),
        ("*/15 3 * * *", "0,15,30,45 3 * * *"),
        ("10-20/5 3 * * *", "10,15,20 3 * * *"),
        ("1,2,2,1 3 * * *", "1,2 3 * * *"),
        ("*,5 3 * * *", "* 3 * * *"),
        ("0 3 ? * 1", "0 3 * * 1"),
        ("0 3 1 * ?", "0 3 1 * *"),
        ("00 03 01 * *", "0 3 1 * *"),
        ("0 0 3 * * *", "0 3 * * *"),
        ("0 0 3 * * * *", "0 3 * * *"),
        ("\t0   3 * *  * ", "0 3 * * *"),
        ("0 0 L-0 * *", "0 0 L * *"),
        ("0 0 ? * 5L", "0 0 ? * fril"),
        ("0 0 ? * 7#2", "0 0 ? * SUN#2"),
    ];
    for (left, right) in pairs {
        let (a, b) = (cron(left, "UTC"), cron(right, "UTC"));
        assert_eq!(utc(&a, "2026-01-01T00:00:00Z", 40), utc(&b, "2026-01-01T00:00:00Z", 40), "{left} and {right}");
    }
}

#[test]
fn expressions_as_people_write_them() {
    let from = "2026-01-01T00:00:00Z"; // a Thursday
    let table = [
        ("* * * * *", ["2026-01-01T00:01:00", "2026-01-01T00:02:00", "2026-01-01T00:03:00"]),
        ("0 9 * * 1-5", ["2026-01-01T09:00:00", "2026-01-02T09:00:00", "2026-01-05T09:00:00"]),
        ("15 */6 * * *", ["2026-01-01T00:15:00", "2026-01-01T06:15:00", "2026-01-01T12:15:00"]),
        ("49 7-23/12 * * *", ["2026-01-01T07:49:00", "2026-01-01T19:49:00", "2026-01-02T07:49:00"]),
        ("0 0 1,15 * *", ["2026-01-15T00:00:00", "2026-02-01T00:00:00", "2026-02-15T00:00:00"]),
        ("50 14 * * 7", ["2026-01-04T14:50:00", "2026-01-11T14:50:00", "2026-01-18T14:50:00"]),
        ("0 00 19 * * MON-FRI", ["2026-01-01T19:00:00", "2026-01-02T19:00:00", "2026-01-05T19:00:00"]),
        ("*/20 * * * * *", ["2026-01-01T00:00:20", "2026-01-01T00:00:40", "2026-01-01T00:01:00"]),
        ("0 0/5 * * * ?", ["2026-01-01T00:05:00", "2026-01-01T00:10:00", "2026-01-01T00:15:00"]),
        ("5,35 59 23 31 12 *", ["2026-12-31T23:59:05", "2026-12-31T23:59:35", "2027-12-31T23:59:05"]),
        ("0 0 12 1 1 ? 2027/2", ["2027-01-01T12:00:00", "2029-01-01T12:00:00", "2031-01-01T12:00:00"]),
        ("0 0 12 29 2 ? *", ["2028-02-29T12:00:00", "2032-02-29T12:00:00", "2036-02-29T12:00:00"]),
    ];
    for (expression, expected) in table {
        assert_eq!(utc(&cron(expression, "UTC"), from, 3), expected, "{expression}");
    }
}

#[test]
fn a_schedule_may_end() {
    let schedule = cron("0 0 0 1 1 ? 2027,2029", "UTC");
    assert_eq!(utc(&schedule, "2026-01-01T00:00:00Z", 9), ["2027-01-01T00:00:00", "2029-01-01T00:00:00"]);
    assert_eq!(schedule.next_after(at("2029-01-01T00:00:00Z"), &context()), None);
    let last = cron("0 0 0 1 1 ? 2099", "America/New_York");
    assert_eq!(utc(&last, "1970-01-01T00:00:00Z", 2), ["2099-01-01T05:00:00"]);
}

#[test]
fn strictly_after_also_below_the_second() {
    let schedule = cron("* * * * * *", "UTC");
    let next = |from| schedule.next_after(at(from), &context()).unwrap().at;
    assert_eq!(next("2026-01-01T00:00:00Z"), at("2026-01-01T00:00:01Z"));
    assert_eq!(next("2026-01-01T00:00:00.999999999Z"), at("2026-01-01T00:00:01Z"));
    assert_eq!(next("2026-01-01T00:00:01Z"), at("2026-01-01T00:00:02Z"));
    assert_eq!(next("1969-12-31T23:59:58.5Z"), at("1969-12-31T23:59:59Z"));
}

/// Each refusal names the place and helps.
#[test]
fn refusals_help() {
    let table = [
        ("", "found 0 fields; allowed are 5"),
        ("*", "found 1 field; allowed are 5"),
        ("* * * *", "found 4 fields"),
        ("* * * * * * * *", "found 8 fields"),
        ("60 * * * *", "field 1 (minute), character 1: \"60\" is out of range; allowed are 0-59; a full round is 0"),
        ("0 24 * * *", "field 2 (hour), character 3: \"24\" is out of range; allowed are 0-23; midnight is hour 0"),
        ("0 0 0 * *", "field 3 (day-of-month), character 5: \"0\" is out of range; allowed are 1-31"),
        ("0 0 32 * *", "allowed are 1-31"),
        ("0 0 1 13 *", "field 4 (month), character 7: \"13\" is out of range; allowed are 1-12 and JAN-DEC"),
        ("0 0 * * 8", "allowed are 0-7 (0 and 7 are Sunday) and SUN-SAT"),
        ("60 0 0 * * *", "field 1 (second), character 1"),
        ("0 0 0 1 1 * 1969", "field 7 (year), character 13: \"1969\" is out of range; allowed are 1970-2099"),
        ("0 0 0 1 1 * 2030-2026", "the range \"2030-2026\" ends before it begins"),
        ("0 0 1 JANFEB *", "\"JANFEB\" is not a value; allowed are 1-12 and JAN-DEC"),
        ("0 0 1 JAN-FEBR *", "\"FEBR\" is not known: did you mean FEB?"),
        ("0 0 1 january *", "did you mean JAN?"),
        ("0 0 * * Tues", "did you mean TUE?"),
        ("0 0 * * MNO", "did you mean MON?"),
        ("0 0 * MON *", "\"MON\" is a name of the day-of-week field; allowed here are 1-12"),
        ("0 0 * * JAN", "\"JAN\" is a name of the month field"),
        ("0 MON * * *", "\"MON\" is a name of the day-of-week field"),
        ("1.5 * * * *", "\"1.5\" is not a value; allowed are 0-59"),
        ("0x1 * * * *", "\"0x1\" is not a value"),
        ("+5 * * * *", "\"+5\" is not a value"),
        ("-5 * * * *", "the range \"-5\" lacks one of its ends"),
        ("5- * * * *", "the range \"5-\" lacks one of its ends"),
        ("1-2-3 * * * *", "\"2-3\" is not a value"),
        ("1,,2 * * * *", "character 3: an item of the list is empty"),
        (",1 * * * *", "character 1: an item of the list is empty"),
        ("1, * * * *", "character 3: an item of the list is empty"),
        ("*/0 * * * *", "a step of 0 never moves on; allowed are 1-60"),
        ("*/61 * * * *", "the step 61 is larger than the field; allowed are 1-60"),
        ("*/ * * * *", "the number after `/` is missing"),
        ("*/-1 * * * *", "the step \"-1\" is not a whole number"),
        ("*/2/3 * * * *", "the step \"2/3\" is not a whole number"),
        ("/5 * * * *", "a value is missing"),
        ("** * * * *", "\"**\" is not a value"),
        ("*5 * * * *", "\"*5\" is not a value"),
        ("*-5 * * * *", "\"*\" is not a value"),
        ("? * * * *", "`?` is allowed only in day-of-month and day-of-week; write `*`"),
        ("0 0 ?/2 * *", "`?` cannot have a step"),
        ("0 0 1,? * *", "`?` must stand alone"),
        ("0 0 15WW * *", "\"15WW\" is not a value"),
        ("0 0 W * *", "\"W\" is not a value"),
        ("0 0 32W * *", "\"32\" is out of range"),
        ("0 0 1-5W * *", "\"5W\" is not a value"),
        ("0 0 15W/2 * *", "\"15W\" cannot have a step"),
        ("0 0 L-31 * *", "allowed are L-0 to L-30"),
        ("0 0 L-x * *", "allowed are L-0 to L-30"),
        ("0 0 L-3W * *", "allowed are L-0 to L-30"),
        ("0 0 * * L", "a bare `L` has no weekday: write FRIL for the last Friday"),
        ("0 0 * * 5#6", "\"6\" is not a week of the month; allowed after `#` are 1-5"),
        ("0 0 * * 5#", "allowed after `#` are 1-5"),
        ("0 0 * * #2", "a value is missing"),
        ("0 0 * * 8L", "\"8\" is out of range"),
        ("0 L * * *", "\"L\" is not a value; allowed are 0-23"),
        ("@reboot", "has no meaning here"),
        ("@dayly", "\"@dayly\" is not known: did you mean @daily?"),
        ("@", "\"@\" is not known"),
        ("CRON_TZ=Europe/Berlin 0 9 * * *", "put the zone into the field `timezone`"),
        ("0/5 * * * ? *", "write \"0 0/5 * * * ? *\""),
        ("\u{ff15} * * * *", "character 1: '５' is not allowed; expressions are plain ASCII"),
        ("0 \u{663} * * *", "character 3: "),
        ("0\u{a0}9 * * *", "character 2: "),
        ("0 9 * * *\0", "character 10: '\\0' is not allowed"),
        ("0 9 * * *\n0 9 * * *", "character 10: '\\n' is not allowed"),
    ];
    for (expression, expected) in table {
        let found = cron_refusal(expression);
        assert!(found.contains(expected), "{expression:?}\n  wanted {expected}\n  found  {found}");
        assert!(found.lines().all(|line| line.starts_with("/expression: ")), "{found}");
    }
}

#[test]
fn every_wrong_field_is_reported() {
    let found = cron_refusal("60 24 * FOO 9");
    let fields: Vec<bool> = ["field 1", "field 2", "field 4", "field 5"].iter().map(|f| found.contains(f)).collect();
    assert_eq!((found.lines().count(), fields), (4, vec![true; 4]), "{found}");
}
