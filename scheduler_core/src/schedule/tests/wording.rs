//! Descriptions and warnings.

use super::*;

#[test]
fn descriptions() {
    let table = [
        ("0 9 * * 1-5", "At 09:00, Monday to Friday"),
        ("* * * * *", "Every minute"),
        ("*/5 * * * *", "Every 5 minutes"),
        ("*/45 * * * *", "At minutes 0 and 45 of every hour"),
        ("0 * * * *", "Every hour"),
        ("15 * * * *", "At minute 15 of every hour"),
        ("0 */2 * * *", "Every 2 hours"),
        ("30 */2 * * *", "At minute 30, every 2 hours"),
        ("0 */6 * * *", "At 00:00, 06:00, 12:00 and 18:00"),
        ("*/15 9-17 * * MON-FRI", "Every 15 minutes, between 09:00 and 17:59, Monday to Friday"),
        ("5,10 1,3,5,7 * * *", "At minutes 5 and 10, in the hours 01, 03, 05 and 07"),
        ("* 9 * * *", "Every minute, between 09:00 and 09:59"),
        ("*/10 * * * * *", "Every 10 seconds"),
        ("* * * * * *", "Every second"),
        ("30 * * * * *", "At second 30 of every minute"),
        ("15 30 9 * * *", "At 09:30:15"),
        ("*/10 */5 * * * *", "Every 10 seconds, every 5 minutes"),
        ("30 9 1,15 * *", "At 09:30, on the 1st and 15th of the month"),
        ("0 0 1-7,22 * *", "At 00:00, on the 1st to 7th and 22nd of the month"),
        ("0 0 */2 * *", "At 00:00, on every 2nd day of the month from the 1st"),
        ("0 0 L * *", "At 00:00, on the last day of the month"),
        (
            "0 0 L-1,L-3 * *",
            "At 00:00, on the day before the last of the month and the day 3 days before the last of the month",
        ),
        ("0 0 LW * *", "At 00:00, on the last weekday of the month"),
        ("0 0 15W * *", "At 00:00, on the weekday nearest the 15th"),
        ("0 0 * * FRI#2", "At 00:00, the second Friday of the month"),
        ("0 0 * * FRIL", "At 00:00, the last Friday of the month"),
        ("0 0 * * SAT,SUN", "At 00:00, Saturday and Sunday"),
        ("0 0 13 * 5", "At 00:00, on the 13th of the month or on Friday"),
        ("0 0 */2 * 1", "At 00:00, on every 2nd day of the month from the 1st if it is Monday"),
        ("0 0 1 1,3,6-8 *", "At 00:00, on the 1st of the month, in January, March and June to August"),
        ("0 0 0 1 1 ? 2027-2029", "At 00:00, on the 1st of the month, in January, in 2027 to 2029"),
        ("@weekly", "At 00:00, Sunday"),
    ];
    for (expression, expected) in table {
        assert_eq!(cron(expression, "Europe/Berlin").describe(), format!("{expected} (Europe/Berlin)"), "{expression}");
    }
    let interval =
        |seconds| parsed(json!({"kind": "interval", "every_seconds": seconds, "anchor": "start"})).describe();
    assert_eq!(interval(90), "Every 90 seconds, counted from the creation of the template");
    assert_eq!(interval(60), "Every minute, counted from the creation of the template");
    assert_eq!(interval(7_200), "Every 2 hours, counted from the creation of the template");
}

fn warnings(expression: &str, zone: &str) -> Vec<String> {
    cron(expression, zone).warnings(at("2026-01-15T12:00:00Z"))
}

#[test]
fn the_next_two_clock_changes_are_announced() {
    let table: [(&str, &str, &[&str]); 8] = [
        (
            "30 2 * * *",
            "America/New_York",
            &[
                "on 2026-03-08 the clocks of America/New_York go forward from 02:00 to 03:00: 02:30 does not exist and runs at 03:00",
                "on 2027-03-14 the clocks of America/New_York go forward from 02:00 to 03:00: 02:30 does not exist and runs at 03:00",
            ],
        ),
        (
            "15,45 1-2 * * *",
            "America/New_York",
            &[
                "on 2026-03-08 the clocks of America/New_York go forward from 02:00 to 03:00: the 2 times from 02:15 to 02:45 do not exist and run once, at 03:00",
                "on 2026-11-01 the clocks of America/New_York go back from 02:00 to 01:00: the 2 times from 01:15 to 01:45 come twice and run the first time only",
            ],
        ),
        (
            "*/30 2 * * *",
            "America/New_York",
            &[
                "on 2026-03-08 the clocks of America/New_York go forward from 02:00 to 03:00: the 2 times from 02:00 to 02:30 do not exist and are left out",
                "on 2027-03-14 the clocks of America/New_York go forward from 02:00 to 03:00: the 2 times from 02:00 to 02:30 do not exist and are left out",
            ],
        ),
        (
            "0 0 * * *",
            "Africa/Cairo",
            &[
                "on 2026-04-24 the clocks of Africa/Cairo go forward from 00:00 to 01:00: 00:00 does not exist and runs at 01:00",
                "on 2027-04-30 the clocks of Africa/Cairo go forward from 00:00 to 01:00: 00:00 does not exist and runs at 01:00",
            ],
        ),
        (
            "30 23 * * *",
            "Africa/Cairo",
            &[
                "on 2026-10-30 the clocks of Africa/Cairo go back from 2026-10-30 00:00 to 2026-10-29 23:00: 2026-10-29 23:30 comes twice and runs the first time only",
                "on 2027-10-29 the clocks of Africa/Cairo go back from 2027-10-29 00:00 to 2027-10-28 23:00: 2027-10-28 23:30 comes twice and runs the first time only",
            ],
        ),
        // Nothing to say: every half-hour stays every half-hour; noon is never touched; no clock changes.
        ("*/30 * * * *", "America/New_York", &[]),
        ("0 12 * * *", "America/New_York", &[]),
        ("30 2 * * *", "Asia/Tokyo", &[]),
    ];
    for (expression, zone, expected) in table {
        assert_eq!(warnings(expression, zone), expected, "{expression} in {zone}");
    }
}

#[test]
fn selected_policies_are_announced() {
    let value = |gap: &str, fold: &str| json!({"kind": "cron", "expression": "30 1-2 * * *", "timezone": "America/New_York", "dst_gap": gap, "dst_fold": fold});
    let endings = |gap, fold| -> Vec<String> {
        let warnings = parsed(value(gap, fold)).warnings(at("2026-01-15T12:00:00Z"));
        warnings.iter().map(|text| text.rsplit_once(": ").unwrap().1.to_owned()).collect()
    };
    assert_eq!(
        endings("shift", "last"),
        ["02:30 does not exist and runs at 03:30", "01:30 comes twice and runs the second time only",]
    );
    assert_eq!(
        endings("skip", "both"),
        ["02:30 does not exist and is left out", "01:30 comes twice and runs both times"]
    );
}

#[test]
fn what_is_often_misread_is_pointed_out() {
    assert_eq!(
        warnings("*/45 * * * *", "UTC"),
        ["`*/45` in the minute field: after the last one of an hour, the next follows in 15 minutes, not in 45",]
    );
    assert_eq!(
        warnings("0 0 13 * 5", "UTC"),
        ["day-of-month and day-of-week are both restricted: it runs on days that match either of them",]
    );
    assert_eq!(
        warnings("0 0 31 * *", "UTC"),
        ["months without a 31st are left out; `L` means the last day of every month",]
    );
    assert_eq!(warnings("0 0 0 1 1 ? 2025", "UTC"), ["no run is left after 2026-01-15T12:00:00Z"]);
    assert_eq!(warnings("0 9 * * 1-5", "UTC"), Vec::<String>::new());
}
