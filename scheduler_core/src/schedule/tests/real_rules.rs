//! Rules of hours, minutes and seconds against a walk along the real time line that asks the zone library what the clock
//! shows at each point.

use chrono::{Datelike as _, TimeDelta, Timelike as _};
use proptest::prelude::*;

use super::*;

/// Points that one walk looks at.
const WALKED: i64 = 60_000;

const DAYS: [&str; 7] = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"];

/// A frequency by the seconds of its unit, and what may stand beside it without naming more times than the grid has.
#[derive(Clone, Debug)]
struct Real {
    unit: i64,
    interval: i64,
    hours: Vec<u32>,
    minutes: Vec<u32>,
    seconds: Vec<u32>,
    days: Vec<u32>,
}

impl Real {
    fn expression(&self, zone: &str) -> String {
        let freq = match self.unit {
            3_600 => "HOURLY",
            60 => "MINUTELY",
            _ => "SECONDLY",
        };
        let mut rule = format!("DTSTART;TZID={zone}:20260105T012345\nRRULE:FREQ={freq};INTERVAL={}", self.interval);
        for (name, list) in [("BYHOUR", &self.hours), ("BYMINUTE", &self.minutes), ("BYSECOND", &self.seconds)] {
            if !list.is_empty() {
                rule += &format!(";{name}={}", list.iter().map(ToString::to_string).collect::<Vec<_>>().join(","));
            }
        }
        if !self.days.is_empty() {
            let names: Vec<_> = self.days.iter().map(|day| DAYS[*day as usize]).collect();
            rule += &format!(";BYDAY={}", names.join(","));
        }
        rule
    }

    fn shows(&self, at: DateTime<Utc>, zone: Tz) -> bool {
        let local = at.with_timezone(&zone);
        let passes = |list: &[u32], value: u32| list.is_empty() || list.contains(&value);
        passes(&self.hours, local.hour())
            && passes(&self.minutes, local.minute())
            && passes(&self.seconds, local.second())
            && passes(&self.days, local.weekday().num_days_from_sunday())
    }
}

fn some_of(last: u32) -> impl Strategy<Value = Vec<u32>> {
    let few = prop::collection::btree_set(0..=last, 1..3).prop_map(|set| set.into_iter().collect());
    let many = prop::collection::btree_set(0..=last, 1..=last as usize).prop_map(|set| set.into_iter().collect());
    prop_oneof![2 => Just(Vec::new()), 3 => few, 1 => many]
}

fn rule() -> impl Strategy<Value = Real> {
    let intervals = prop_oneof![
        1..200i64,
        prop::sample::select(&[3_599, 3_600, 3_601, 7_200, 86_399, 86_400, 86_401, 90_000, 604_800][..]),
    ];
    (prop::sample::select(&[1, 60, 3_600][..]), intervals, some_of(23), some_of(59), some_of(59), some_of(6)).prop_map(
        |(unit, interval, hours, minutes, seconds, days)| {
            let interval = if unit == 1 { interval } else { 1 + interval % 500 };
            // BYMINUTE in a rule of hours would name times between the points of the grid.
            let minutes = if unit > 60 { Vec::new() } else { minutes };
            let seconds = if unit > 1 { Vec::new() } else { seconds };
            Real { unit, interval, hours, minutes, seconds, days }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn agree_with_a_walk(
        rule in rule(),
        zone in prop::sample::select(&["UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"][..]),
        skipped in 0..100_000i64,
    ) {
        let value = json!({"kind": "rrule", "expression": rule.expression(zone)});
        let tz: Tz = zone.parse().unwrap();
        let start = chrono::TimeZone::with_ymd_and_hms(&tz, 2026, 1, 5, 1, 23, 45).unwrap().to_utc();
        let step = TimeDelta::seconds(rule.unit * rule.interval);
        let points = (skipped..skipped + WALKED).map(|n| start + step * i32::try_from(n).unwrap());
        let end = start + step * i32::try_from(skipped + WALKED).unwrap();
        // The compiled zones end in 2099, and so does what can be compared.
        let end = end.min(at("2098-01-01T00:00:00Z"));
        let expected: Vec<_> =
            points.take_while(|at| *at < end).filter(|at| rule.shows(*at, tz)).take(3).collect();
        let Ok(schedule) = Schedule::parse(&value) else {
            prop_assert!(expected.is_empty(), "{value} was refused: {}", refusal(&value));
            return Ok(());
        };
        let after = start + step * i32::try_from(skipped).unwrap() - TimeDelta::seconds(1);
        let found = schedule.occurrences(after, &context()).map(|it| it.at).take_while(|at| *at < end);
        prop_assert_eq!(found.take(3).collect::<Vec<_>>(), expected, "{}", value);
    }
}

/// What seldom meets the clock is found all the same, however long that takes.
#[test]
fn rare_meetings_are_found() {
    let next = |rule: &str| {
        let schedule =
            parsed(json!({"kind": "rrule", "expression": format!("DTSTART:20260101T040000Z\nRRULE:{rule}")}));
        utc(&schedule, "2026-01-02T00:00:00Z", 1).remove(0)
    };
    // A second later each day: from 04:00 to 03:00 it takes 82,800 days.
    assert_eq!(next("FREQ=SECONDLY;INTERVAL=86401;BYHOUR=3"), "2252-09-14T03:00:00");
    // A second earlier each day: 03:59:59 is the next.
    assert_eq!(next("FREQ=SECONDLY;INTERVAL=86399;BYHOUR=3"), "2026-01-02T03:59:59");
    assert_eq!(next("FREQ=SECONDLY;INTERVAL=97;BYHOUR=3;BYMINUTE=0;BYSECOND=0"), "2026-04-04T03:00:00");
}
