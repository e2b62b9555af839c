//! Which nominal times get their record now, and with which outcome. Pure.

use crate::schedule::{EvalContext, Schedule};
use chrono::{DateTime, TimeDelta, Utc};

/// How late a missed occurrence may still be made up for.
pub(super) const CATCH_UP: TimeDelta = TimeDelta::hours(1);

/// What one template gets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Plan {
    /// The nominal times, in order.
    pub occurrences: Vec<Planned>,
    /// The last of them; as it was when there is none.
    pub cursor_at: DateTime<Utc>,
    /// The first one after them.
    pub next_at: Option<DateTime<Utc>>,
}

/// One nominal time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Planned {
    pub at: DateTime<Utc>,
    /// Whether it becomes a job; otherwise it is recorded as missed.
    pub dispatched: bool,
}

/// Plans the occurrences after `cursor_at` and up to `horizon`, at most `max`.
///
/// What is not in the past becomes a job. Of what is in the past, only the latest does, and only within [`CATCH_UP`]:
/// an outage is followed by one run and not by a storm. An occurrence is the latest of the past exactly when its
/// successor lies in the future, so that the rule needs no look at the whole past.
pub(super) fn plan(
    schedule: &Schedule,
    context: &EvalContext<'_>,
    cursor_at: DateTime<Utc>,
    now: DateTime<Utc>,
    horizon: DateTime<Utc>,
    max: usize,
) -> Plan {
    let mut occurrences = Vec::new();
    let mut cursor_at = cursor_at;
    let mut next = schedule.next_after(cursor_at, context);
    while let Some(occurrence) = next.filter(|next| next.at <= horizon)
        && occurrences.len() < max
    {
        let at = occurrence.at;
        next = schedule.next_after(at, context);
        let latest_of_the_past = at <= now && next.is_none_or(|successor| successor.at > now);
        let in_time = at > now || (latest_of_the_past && now - at <= CATCH_UP);
        let dispatched = in_time && occurrence.runs();
        occurrences.push(Planned { at, dispatched });
        cursor_at = at;
    }
    Plan { occurrences, cursor_at, next_at: next.map(|occurrence| occurrence.at) }
}

impl Plan {
    /// Whether occurrences up to `horizon` are left.
    pub fn has_more(&self, horizon: DateTime<Utc>) -> bool {
        self.next_at.is_some_and(|next| next <= horizon)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;
    use uuid::Uuid;

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-05-04T{text}Z").parse().unwrap()
    }

    fn minutely() -> Schedule {
        Schedule::parse(&json!({"kind": "cron", "expression": "* * * * *"})).unwrap()
    }

    fn planned(schedule: &Schedule, cursor: &str, now: &str, horizon: &str, max: usize) -> (Vec<(String, bool)>, Plan) {
        let context = EvalContext::new(at("00:00:00"), Uuid::nil());
        let plan = plan(schedule, &context, at(cursor), at(now), at(horizon), max);
        let shown = plan.occurrences.iter().map(|o| (o.at.format("%H:%M").to_string(), o.dispatched)).collect();
        (shown, plan)
    }

    fn pairs(expected: &[(&str, bool)]) -> Vec<(String, bool)> {
        expected.iter().map(|(at, dispatched)| ((*at).to_owned(), *dispatched)).collect()
    }

    #[test]
    fn what_is_ahead_becomes_jobs_up_to_the_horizon() {
        let (shown, plan) = planned(&minutely(), "10:00:00", "10:00:30", "10:03:00", 10);
        assert_eq!(shown, pairs(&[("10:01", true), ("10:02", true), ("10:03", true)]));
        assert_eq!((plan.cursor_at, plan.next_at), (at("10:03:00"), Some(at("10:04:00"))));
        assert!(!plan.has_more(at("10:03:00")));
    }

    #[test]
    fn of_the_past_only_the_latest_is_made_up_for() {
        let (shown, _) = planned(&minutely(), "10:00:00", "10:03:30", "10:04:00", 10);
        assert_eq!(shown, pairs(&[("10:01", false), ("10:02", false), ("10:03", true), ("10:04", true)]));
    }

    #[test]
    fn an_occurrence_at_this_very_instant_is_the_latest() {
        let (shown, _) = planned(&minutely(), "10:00:00", "10:02:00", "10:02:00", 10);
        assert_eq!(shown, pairs(&[("10:01", false), ("10:02", true)]));
    }

    #[test]
    fn after_an_hour_nothing_is_made_up_for() {
        let daily = Schedule::parse(&json!({"kind": "cron", "expression": "0 9 * * *"})).unwrap();
        assert_eq!(planned(&daily, "08:00:00", "10:00:00", "10:01:00", 10).0, pairs(&[("09:00", true)]));
        assert_eq!(planned(&daily, "08:00:00", "10:00:01", "10:01:00", 10).0, pairs(&[("09:00", false)]));
    }

    #[test]
    fn a_bound_cuts_the_work_and_the_next_call_goes_on() {
        let (first, plan) = planned(&minutely(), "10:00:00", "10:00:00", "10:05:00", 2);
        assert_eq!(first, pairs(&[("10:01", true), ("10:02", true)]));
        assert!(plan.has_more(at("10:05:00")));
        let (second, _) = planned(&minutely(), "10:02:00", "10:00:00", "10:05:00", 9);
        assert_eq!(second, pairs(&[("10:03", true), ("10:04", true), ("10:05", true)]));
    }

    #[test]
    fn a_single_time_ends_its_schedule() {
        let once = Schedule::parse(&json!({"kind": "once", "at": "2026-05-04T10:00:20Z"})).unwrap();
        let (shown, plan) = planned(&once, "10:00:00", "10:00:10", "10:01:00", 10);
        assert_eq!((shown.len(), plan.next_at), (1, None));
        // Late, and the last one of all.
        assert_eq!(planned(&once, "10:00:00", "10:59:00", "11:00:00", 10).0, pairs(&[("10:00", true)]));
    }
}
