//! The nominal times of a backfill, a few at a time and in its order. Pure.

use crate::domain::{BackfillOrder, Timetable};
use crate::schedule::Occurrence;
use chrono::{DateTime, TimeDelta, Utc};

const MICRO: TimeDelta = TimeDelta::microseconds(1);

/// A range of nominal times, both ends included, and how far one has come in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    pub order: BackfillOrder,
    /// The last time that was looked at; none: none yet.
    pub cursor: Option<DateTime<Utc>>,
}

/// Up to `limit` times that come next, those that calendars leave out included. Fewer: there are no more.
pub(super) fn next_times(timetable: &Timetable<'_>, range: &Range, limit: usize) -> Vec<Occurrence> {
    let before = range.from - MICRO;
    match range.order {
        BackfillOrder::OldestFirst => {
            let times = timetable.occurrences(range.cursor.unwrap_or(before));
            times.take_while(|occurrence| occurrence.at <= range.to).take(limit).collect()
        }
        BackfillOrder::NewestFirst => {
            let until = range.cursor.map_or(range.to, |cursor| cursor - MICRO);
            let mut times = timetable.latest(before, until, limit, |_| true);
            times.reverse();
            times
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::TemplatePolicies;
    use crate::schedule::{EvalContext, Schedule};
    use serde_json::json;
    use uuid::Uuid;

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-05-04T{text}Z").parse().unwrap()
    }

    #[test]
    fn both_orders_go_through_the_same_times_once() {
        let schedule = Schedule::parse(&json!({"kind": "cron", "expression": "*/7 * * * *"})).unwrap();
        let policies = TemplatePolicies::default();
        let timetable = Timetable::new(&schedule, &policies, EvalContext::new(at("00:00:00"), Uuid::nil()));
        let walk = |order| {
            let mut range = Range { from: at("08:00:00"), to: at("11:56:00"), order, cursor: None };
            let mut all = Vec::new();
            loop {
                let times = next_times(&timetable, &range, 4);
                all.extend(times.iter().map(|occurrence| occurrence.at));
                if times.len() < 4 {
                    return all;
                }
                range.cursor = all.last().copied();
            }
        };
        let oldest = walk(BackfillOrder::OldestFirst);
        assert_eq!((oldest.first(), oldest.last()), (Some(&at("08:00:00")), Some(&at("11:56:00"))));
        assert!(oldest.is_sorted() && oldest.len() == 36, "{}", oldest.len());
        let mut newest = walk(BackfillOrder::NewestFirst);
        newest.reverse();
        assert_eq!(oldest, newest);
    }
}
