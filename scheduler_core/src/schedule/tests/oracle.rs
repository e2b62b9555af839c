//! The evaluator against a slow enumeration, minute by minute, around clock changes.
//!
//! The oracle shares nothing with the evaluator: it keeps the values of each field as sets, walks every civil minute
//! and asks the zone library about each.

use std::collections::BTreeSet;

use chrono::{Datelike, LocalResult, NaiveDateTime, TimeDelta, TimeZone, Timelike};
use proptest::prelude::*;

use super::*;

/// Changes of the clock, some with a length that is not an hour.
const CHANGES: [(&str, &str); 20] = [
    ("America/New_York", "2026-03-08T07:00:00Z"),
    ("America/New_York", "2026-11-01T06:00:00Z"),
    ("Europe/Berlin", "2026-03-29T01:00:00Z"),
    ("Europe/Berlin", "2026-10-25T01:00:00Z"),
    ("Europe/Dublin", "2026-03-29T01:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
    ("Africa/Casablanca", "2026-02-15T02:00:00Z"),
    ("Africa/Casablanca", "2026-03-22T02:00:00Z"),
    ("Pacific/Apia", "2011-12-30T10:00:00Z"),
    ("America/Sao_Paulo", "2018-11-04T03:00:00Z"),
    ("Africa/Cairo", "2026-04-23T22:00:00Z"),
    ("Africa/Cairo", "2026-10-29T21:00:00Z"),
    ("Pacific/Chatham", "2026-04-04T14:00:00Z"),
    ("Pacific/Chatham", "2026-09-26T14:00:00Z"),
    ("Antarctica/Troll", "2026-03-29T01:00:00Z"),
    ("Antarctica/Troll", "2026-10-25T01:00:00Z"),
    ("America/Havana", "2026-11-01T05:00:00Z"),
    ("Asia/Pyongyang", "2015-08-14T15:00:00Z"),
    ("UTC", "2024-02-29T00:00:00Z"),
];

/// A field as text and as the set of its values.
#[derive(Clone, Debug)]
struct Picked {
    text: String,
    values: BTreeSet<u32>,
}

impl Picked {
    fn star(&self) -> bool {
        self.text.starts_with('*')
    }
}

#[derive(Clone, Debug)]
struct Fields {
    minute: Picked,
    hour: Picked,
    day: Picked,
    month: Picked,
    weekday: Picked,
}

impl Fields {
    fn expression(&self) -> String {
        [&self.minute, &self.hour, &self.day, &self.month, &self.weekday].map(|field| field.text.as_str()).join(" ")
    }

    fn matches(&self, local: NaiveDateTime) -> bool {
        let day = self.day.values.contains(&local.day());
        let weekday = self.weekday.values.contains(&local.weekday().num_days_from_sunday());
        let both = self.day.star() || self.weekday.star();
        self.minute.values.contains(&local.minute())
            && self.hour.values.contains(&local.hour())
            && self.month.values.contains(&local.month())
            && if both { day && weekday } else { day || weekday }
    }
}

/// A field of values `first..=last`: stars, steps, lists, ranges that may go round the end.
fn field(first: u32, last: u32) -> impl Strategy<Value = Picked> {
    let all = move || first..=last;
    let star = Just(Picked { text: "*".to_owned(), values: all().collect() });
    let star_step = (1..=last)
        .prop_map(move |step| Picked { text: format!("*/{step}"), values: all().step_by(step as usize).collect() });
    let list = prop::collection::btree_set(first..=last, 1..4).prop_map(|values| Picked {
        text: values.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        values,
    });
    let range = (first..=last, first..=last, 1..5usize).prop_map(move |(from, to, step)| {
        let around =
            if from <= to { (from..=to).collect() } else { (from..=last).chain(first..=to).collect::<Vec<_>>() };
        Picked { text: format!("{from}-{to}/{step}"), values: around.into_iter().step_by(step).collect() }
    });
    prop_oneof![3 => star, 2 => star_step, 4 => list, 3 => range]
}

fn fields() -> impl Strategy<Value = Fields> {
    let early_hour = prop::collection::btree_set(0..4u32, 1..3).prop_map(|values| Picked {
        text: values.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        values,
    });
    let hour = prop_oneof![field(0, 23), early_hour];
    (field(0, 59), hour, field(1, 31), field(1, 12), field(0, 6))
        .prop_map(|(minute, hour, day, month, weekday)| Fields { minute, hour, day, month, weekday })
}

/// What wall-clock time prescribes in `begin..=end`, civil minute by civil minute.
fn by_civil_minutes(
    fields: &Fields,
    zone: Tz,
    gap: DstGap,
    fold: DstFold,
    begin: DateTime<Utc>,
    end: DateTime<Utc>,
) -> BTreeSet<DateTime<Utc>> {
    let mut due = BTreeSet::new();
    let margin = TimeDelta::days(2);
    let last = (end + margin).naive_utc();
    let mut minute = (begin - margin).naive_utc();
    let mut before_gap = begin;
    let mut waiting = false;
    while minute <= last {
        let matches = fields.matches(minute);
        match zone.from_local_datetime(&minute) {
            LocalResult::None => {
                // The clock that was not changed goes on counting minutes.
                before_gap += TimeDelta::minutes(1);
                match gap {
                    DstGap::NextValid => waiting |= matches,
                    DstGap::Shift if matches => drop(due.insert(before_gap)),
                    DstGap::Shift | DstGap::Skip => {}
                }
            }
            LocalResult::Single(only) => {
                before_gap = only.to_utc();
                let waited = std::mem::take(&mut waiting);
                if matches || waited {
                    due.insert(only.to_utc());
                }
            }
            LocalResult::Ambiguous(first, second) => {
                before_gap = second.to_utc();
                if matches && fold != DstFold::Last {
                    due.insert(first.to_utc());
                }
                if matches && fold != DstFold::First {
                    due.insert(second.to_utc());
                }
            }
        }
        minute += TimeDelta::minutes(1);
    }
    due.retain(|at| (begin..=end).contains(at));
    due
}

/// What real time prescribes in `begin..=end`: every minute at which the clock on the wall shows a matching time.
fn by_real_minutes(fields: &Fields, zone: Tz, begin: DateTime<Utc>, end: DateTime<Utc>) -> BTreeSet<DateTime<Utc>> {
    let minutes = std::iter::successors(Some(begin), |at| Some(*at + TimeDelta::minutes(1)));
    minutes.take_while(|at| *at <= end).filter(|at| fields.matches(at.with_timezone(&zone).naive_local())).collect()
}

fn found(schedule: &Schedule, begin: DateTime<Utc>, end: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let before = begin - TimeDelta::seconds(1);
    let occurrences = schedule.occurrences(before, &context()).filter(Occurrence::runs);
    occurrences.map(|occurrence| occurrence.at).take_while(|at| *at <= end).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(384))]

    #[test]
    fn agrees_with_the_enumeration(
        fields in fields(),
        (zone, change) in prop::sample::select(&CHANGES[..]),
        start in -2000..600i64,
        gap in prop::option::of(prop::sample::select(&DstGap::NAMES[..])),
        fold in prop::option::of(prop::sample::select(&DstFold::NAMES[..])),
    ) {
        let begin = at(change) + TimeDelta::minutes(start);
        let end = begin + TimeDelta::days(2);
        let mut value = json!({"kind": "cron", "expression": fields.expression(), "timezone": zone});
        if let Some((name, _)) = gap { value["dst_gap"] = json!(name); }
        if let Some((name, _)) = fold { value["dst_fold"] = json!(name); }
        let Ok(schedule) = Schedule::parse(&value) else {
            // Only dates that never come are refused: no day of a leap year matches.
            let year = (0..366).map(|day| at("2024-01-01T00:00:00Z").naive_utc() + TimeDelta::days(day));
            let mut anywhere = fields.clone();
            anywhere.minute.values.insert(0);
            anywhere.hour.values.insert(0);
            let days = year.filter(|day| anywhere.matches(*day)).count();
            prop_assert_eq!(days, 0, "{} was refused", value);
            return Ok(());
        };
        let elapsed = fields.minute.star() || fields.hour.star();
        let zone = zone.parse::<Tz>().unwrap();
        let expected = if elapsed && gap.is_none() && fold.is_none() {
            by_real_minutes(&fields, zone, begin, end)
        } else {
            let gap = gap.map_or(if elapsed { DstGap::Skip } else { DstGap::NextValid }, |(_, gap)| gap);
            let fold = fold.map_or(if elapsed { DstFold::Both } else { DstFold::First }, |(_, fold)| fold);
            by_civil_minutes(&fields, zone, gap, fold, begin, end)
        };
        let found = found(&schedule, begin, end);
        prop_assert!(found.is_sorted_by(|left, right| left < right), "not strictly increasing: {found:?}");
        prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
    }

    /// Starting anywhere gives the same sequence as going through it.
    #[test]
    fn any_start_gives_the_same_sequence(
        fields in fields(),
        (zone, change) in prop::sample::select(&CHANGES[..]),
        starts in prop::collection::vec(0..172_800i64, 8),
    ) {
        let value = json!({"kind": "cron", "expression": fields.expression(), "timezone": zone});
        let Ok(schedule) = Schedule::parse(&value) else { return Ok(()) };
        let begin = at(change) - TimeDelta::days(1);
        let all = found(&schedule, begin, begin + TimeDelta::days(3));
        for start in starts {
            let start = begin + TimeDelta::seconds(start);
            let mut later = schedule.occurrences(start, &context()).filter(Occurrence::runs).map(|it| it.at);
            let later = later.next();
            let expected = all.iter().copied().find(|at| *at > start);
            prop_assert!(expected.is_none() || later == expected, "from {start}: {later:?}, not {expected:?}");
        }
    }
}
