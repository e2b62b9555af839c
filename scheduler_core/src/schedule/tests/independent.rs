//! Our answers beside those of independent implementations: python-dateutil for recurrence rules, cronsim and croniter
//! for cron. The data is written by `scripts/schedule-oracles.py`; the answers differ where docs/schedules.md says why,
//! and nowhere else.

use std::collections::BTreeMap;

use chrono::{LocalResult, TimeZone};

use super::*;

const RRULES: &str = include_str!("data/rrules.txt");
const CRONS: &str = include_str!("data/crons.txt");
const SEEN: &str = include_str!("data/seen_in_the_wild.txt");

/// 2100-01-01.
const END_OF_ZONES: i64 = 4_102_444_800;

/// First answer and distances, as the data has them; `None` when they refuse the expression.
fn unpacked(text: &str) -> Option<Vec<i64>> {
    if text == "refused" {
        return None;
    }
    let numbers = text.split(' ').filter_map(|number| number.parse::<i64>().ok());
    Some(
        numbers
            .scan(0, |sum, distance| {
                *sum += distance;
                Some(*sum)
            })
            .collect(),
    )
}

fn ours(schedule: &Schedule, after: i64, count: usize) -> Vec<i64> {
    let after = DateTime::from_timestamp(after, 0).unwrap();
    let running = schedule.occurrences(after, &context()).filter(Occurrence::runs);
    running.take(count).map(|it| it.at.timestamp()).collect()
}

/// Every zone of the data has changes of the clock, or none, in its own way.
#[test]
fn the_data_covers_many_zones() {
    let zones: std::collections::BTreeSet<_> = CRONS.lines().filter_map(|line| line.split('|').next()).collect();
    assert!(zones.len() >= 20, "{zones:?}");
    assert!(zones.contains("Australia/Lord_Howe") && zones.contains("Pacific/Apia"));
}

#[test]
fn rules_agree_with_dateutil() {
    let mut compared = 0;
    for line in RRULES.lines() {
        let [zone, rule, theirs] = line.split('|').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let (start, rule) = rule.split_once(' ').unwrap();
        let value = json!({"kind": "rrule", "expression": format!("DTSTART;TZID={zone}:{start}\nRRULE:{rule}")});
        let theirs = unpacked(theirs).unwrap();
        let Ok(schedule) = Schedule::parse(&value) else {
            assert!(theirs.is_empty(), "we refuse {line}: {}", refusal(&value));
            continue;
        };
        // The compiled zones end in 2099, those of Python do not.
        let theirs: Vec<i64> = theirs.into_iter().filter(|at| *at < END_OF_ZONES).collect();
        let found = ours(&schedule, -3_000_000_000, theirs.len());
        assert_eq!(found, theirs, "{line}");
        compared += found.len();
    }
    assert!(compared > 5_000, "{compared}");
}

/// Why an implementation answers otherwise. Each is a row of the table in docs/schedules.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    /// It refuses what we accept.
    Refused,
    /// Fixed times in both passes of a fold.
    BothPasses,
    /// Its answer is over when it gives it.
    InThePast,
    /// Times around a change of the clock lost or moved.
    AroundChange,
    /// `W` or `#` beside a restricted other day field: both have to match.
    SpecialDayIsAnd,
    /// A step in a range of one value.
    StepOfOneValue,
    /// Something that nobody has explained.
    Unexplained,
}

/// Compares instant by instant up to the end of their answer.
fn reason(schedule: &Schedule, expression: &str, after: i64, theirs: &[i64]) -> Option<Reason> {
    let last = *theirs.last()?;
    let mine: Vec<i64> = ours(schedule, after, 2_000).into_iter().take_while(|at| *at <= last).collect();
    let missing = mine.iter().filter(|at| !theirs.contains(at));
    let different: Vec<i64> = missing.chain(theirs.iter().filter(|at| !mine.contains(at))).copied().collect();
    let zone = schedule.timezone();
    let in_fold = |at: &i64| {
        let local = DateTime::from_timestamp(*at, 0).unwrap().with_timezone(&zone).naive_local();
        matches!(zone.from_local_datetime(&local), LocalResult::Ambiguous(..))
    };
    let offset = |at: i64| {
        let utc = DateTime::from_timestamp(at, 0).unwrap().naive_utc();
        chrono::Offset::fix(&zone.offset_from_utc_datetime(&utc)).local_minus_utc()
    };
    let near_change = |at: &i64| offset(*at) != offset(*at - 86_400) || offset(*at + 86_400) != offset(*at);
    let fields: Vec<&str> = expression.split(' ').collect();
    let special = fields[4].contains('#') || fields[2].contains('W');
    Some(if different.is_empty() {
        return None;
    } else if theirs[0] <= after {
        Reason::InThePast
    } else if different.iter().all(in_fold) {
        Reason::BothPasses
    } else if different.iter().all(near_change) {
        Reason::AroundChange
    } else if special && fields[2] != "*" && fields[4] != "*" {
        Reason::SpecialDayIsAnd
    } else if expression.contains("23-23/24") {
        Reason::StepOfOneValue
    } else {
        Reason::Unexplained
    })
}

#[test]
fn cron_agrees_with_cronsim_and_croniter() {
    let mut reasons: BTreeMap<(&str, Reason), usize> = BTreeMap::new();
    let mut compared = 0;
    for line in CRONS.lines() {
        let parts: Vec<&str> = line.split('|').collect();
        let (zone, expression, after) = (parts[0], parts[1], parts[2].parse().unwrap());
        let schedule = cron(expression, zone);
        for (name, theirs) in [("cronsim", parts[3]), ("croniter", parts.get(4).copied().unwrap_or(parts[3]))] {
            let reason = match unpacked(theirs) {
                None => Some(Reason::Refused),
                Some(theirs) => reason(&schedule, expression, after, &theirs),
            };
            compared += 1;
            assert_ne!(reason, Some(Reason::Unexplained), "{name}: {line}\n   {:?}", ours(&schedule, after, 6));
            if let Some(reason) = reason {
                *reasons.entry((name, reason)).or_default() += 1;
            }
        }
    }
    let expected = BTreeMap::from(EXPLAINED);
    assert_eq!((compared, reasons), (4_340, expected), "the numbers are in docs/schedules.md, too");
}

/// How often each of them differs, and why.
const EXPLAINED: [((&str, Reason), usize); 9] = [
    (("croniter", Reason::Refused), 291),
    (("croniter", Reason::BothPasses), 21),
    (("croniter", Reason::AroundChange), 14),
    (("croniter", Reason::SpecialDayIsAnd), 30),
    (("croniter", Reason::StepOfOneValue), 1),
    (("cronsim", Reason::Refused), 82),
    (("cronsim", Reason::BothPasses), 1),
    (("cronsim", Reason::InThePast), 1),
    (("cronsim", Reason::AroundChange), 8),
];

/// Expressions found in public code: accepted, or refused for a reason that is listed.
#[test]
fn expressions_seen_in_the_wild() {
    let mut refused = Vec::new();
    for expression in SEEN.lines() {
        if let Err(errors) = Schedule::parse(&json!({"kind": "cron", "expression": expression})) {
            refused.push(format!("{expression}: {}", errors[0].detail));
        }
    }
    let expected = [
        // Days 1, 101, … and the second Monday: never.
        "0 0 */100 * MON#2: no date matches the day fields: this never runs",
        "0 0 30 2 *: February has no 30th: this never runs",
        "0 0 31 2 *: February has no 31st: this never runs",
        // The year last in six fields, as some clouds have it; the answer says what to write.
        "0/5 * * * ? *: field 5 (month), character 11: `?` is allowed only in day-of-month and day-of-week; write `*`",
    ];
    assert_eq!(refused, expected);
}
