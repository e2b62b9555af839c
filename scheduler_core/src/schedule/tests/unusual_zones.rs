//! Zones whose changes are not an hour, not at night, not of summer time, or a whole day long.

use super::*;

#[test]
fn unusual_zones() {
    check_local(&[
        // Half an hour of change.
        (
            "15 2 * * *",
            "Australia/Lord_Howe",
            "2026-10-03T00:00:00Z",
            &["2026-10-04T02:30+11:00 gap", "2026-10-05T02:15+11:00"],
        ),
        (
            "45 1 * * *",
            "Australia/Lord_Howe",
            "2026-04-04T00:00:00Z",
            &["2026-04-05T01:45+11:00 fold", "2026-04-06T01:45+10:30"],
        ),
        ("15 2 * * *", "Australia/Lord_Howe", "2026-04-04T14:20:00Z", &["2026-04-05T02:15+10:30"]),
        (
            "*/30 * * * *",
            "Australia/Lord_Howe",
            "2026-04-04T14:00:00Z",
            &["2026-04-05T01:30+11:00 fold", "2026-04-05T01:30+10:30 fold", "2026-04-05T02:00+10:30"],
        ),
        // Winter is the exception there, in the database as negative summer time.
        (
            "30 1 * * *",
            "Europe/Dublin",
            "2026-03-28T12:00:00Z",
            &["2026-03-29T02:00+01:00 gap", "2026-03-30T01:30+01:00"],
        ),
        (
            "30 1 * * *",
            "Europe/Dublin",
            "2026-10-24T12:00:00Z",
            &["2026-10-25T01:30+01:00 fold", "2026-10-26T01:30+00:00"],
        ),
        // Off for Ramadan.
        (
            "30 2 * * *",
            "Africa/Casablanca",
            "2026-02-14T12:00:00Z",
            &["2026-02-15T02:30+01:00 fold", "2026-02-16T02:30+00:00"],
        ),
        (
            "30 2 * * *",
            "Africa/Casablanca",
            "2026-03-21T12:00:00Z",
            &["2026-03-22T03:00+01:00 gap", "2026-03-23T02:30+01:00"],
        ),
        // Midnight is missing.
        (
            "0 0 * * *",
            "America/Sao_Paulo",
            "2018-11-03T12:00:00Z",
            &["2018-11-04T01:00-02:00 gap", "2018-11-05T00:00-02:00"],
        ),
        (
            "0 0 * * *",
            "Africa/Cairo",
            "2026-04-23T12:00:00Z",
            &["2026-04-24T01:00+03:00 gap", "2026-04-25T00:00+03:00"],
        ),
        (
            "30 23 * * *",
            "Africa/Cairo",
            "2026-10-29T12:00:00Z",
            &["2026-10-29T23:30+03:00 fold", "2026-10-30T23:30+02:00"],
        ),
        // Midnight comes twice: the day does, too, and runs once.
        (
            "0 0 * * *",
            "America/Havana",
            "2026-10-31T12:00:00Z",
            &["2026-11-01T00:00-04:00 fold", "2026-11-02T00:00-05:00"],
        ),
        // Offsets of three quarters of an hour.
        (
            "0 3 * * *",
            "Pacific/Chatham",
            "2026-09-26T00:00:00Z",
            &["2026-09-27T03:45+13:45 gap", "2026-09-28T03:00+13:45"],
        ),
        (
            "0 3 * * *",
            "Pacific/Chatham",
            "2026-04-04T00:00:00Z",
            &["2026-04-05T03:00+13:45 fold", "2026-04-06T03:00+12:45"],
        ),
        // Two hours of change.
        (
            "30 1,2 * * *",
            "Antarctica/Troll",
            "2026-03-28T12:00:00Z",
            &["2026-03-29T03:00+02:00 gap", "2026-03-30T01:30+02:00"],
        ),
        (
            "30 1 * * *",
            "Antarctica/Troll",
            "2026-10-24T12:00:00Z",
            &["2026-10-25T01:30+02:00 fold", "2026-10-26T01:30+00:00"],
        ),
        // Changes of standard time, not of summer time.
        (
            "45 23 * * *",
            "Asia/Pyongyang",
            "2015-08-13T16:00:00Z",
            &["2015-08-14T23:45+09:00 fold", "2015-08-15T23:45+08:30"],
        ),
        (
            "45 23 * * *",
            "Asia/Pyongyang",
            "2018-05-03T16:00:00Z",
            &["2018-05-05T00:00+09:00 gap", "2018-05-05T23:45+09:00"],
        ),
    ]);
}

#[test]
fn a_missing_day_ends_nothing() {
    // Samoa went from 29 December 2011 straight to the 31st.
    check_local(&[
        (
            "0 9 * * *",
            "Pacific/Apia",
            "2011-12-29T12:00:00Z",
            &[
                "2011-12-29T09:00-10:00",
                "2011-12-31T00:00+14:00 gap",
                "2011-12-31T09:00+14:00",
                "2012-01-01T09:00+14:00",
            ],
        ),
        (
            "0 0 * * *",
            "Pacific/Apia",
            "2011-12-29T12:00:00Z",
            &["2011-12-31T00:00+14:00 gap", "2012-01-01T00:00+14:00"],
        ),
        (
            "0 9 30 12 *",
            "Pacific/Apia",
            "2011-12-29T12:00:00Z",
            &["2011-12-31T00:00+14:00 gap", "2012-12-30T09:00+14:00"],
        ),
        (
            "0 */6 * * *",
            "Pacific/Apia",
            "2011-12-30T00:00:00Z",
            &["2011-12-29T18:00-10:00", "2011-12-31T00:00+14:00", "2011-12-31T06:00+14:00"],
        ),
    ]);
    let skipping = json!({"kind": "cron", "expression": "0 9 * * *", "timezone": "Pacific/Apia", "dst_gap": "skip"});
    assert_eq!(local(&parsed(skipping), "2011-12-29T20:00:00Z", 1), ["2011-12-31T09:00+14:00"]);
    let shifting = json!({"kind": "cron", "expression": "0 9 30 12 *", "timezone": "Pacific/Apia", "dst_gap": "shift"});
    assert_eq!(local(&parsed(shifting), "2011-12-29T20:00:00Z", 1), ["2011-12-31T09:00+14:00 gap"]);
}
