//! Tests of the planning of one template.

#![allow(clippy::unwrap_used)]
use super::plan::*;
use crate::domain::OccurrenceOutcome::*;
use crate::domain::{CatchupPolicy, Freeze, FreezeAction, TemplatePolicies, Timetable};
use crate::schedule::{EvalContext, Schedule};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

fn at(text: &str) -> DateTime<Utc> {
    format!("2026-05-04T{text}Z").parse().unwrap()
}

/// A template with a past and a present.
struct Case {
    schedule: Schedule,
    policies: TemplatePolicies,
    freezes: Vec<Freeze>,
    runs: i64,
}

impl Case {
    fn of(schedule: Value) -> Self {
        let schedule = Schedule::parse(&schedule).unwrap();
        Self { schedule, policies: TemplatePolicies::default(), freezes: Vec::new(), runs: 0 }
    }

    fn minutely() -> Self {
        Self::of(json!({"kind": "cron", "expression": "* * * * *"}))
    }

    fn with(self, change: impl FnOnce(&mut TemplatePolicies)) -> Self {
        let mut policies = self.policies;
        change(&mut policies);
        Self { policies, ..self }
    }

    fn plan(&self, cursor: &str, now: &str, horizon: &str, max: usize) -> Plan {
        let context = EvalContext::new(at("00:00:00"), Uuid::nil());
        let planning = Planning {
            template: Uuid::nil(),
            timetable: Timetable::new(&self.schedule, &self.policies, context),
            policies: &self.policies,
            freezes: &self.freezes,
            runs: self.runs,
            cursor_at: at(cursor),
            settled_until: at(cursor),
            now: at(now),
        };
        plan(&planning, at(horizon), max)
    }

    /// Hours and minutes that are planned, and whether they become jobs.
    fn shown(&self, cursor: &str, now: &str, horizon: &str) -> Vec<(String, bool)> {
        shown(&self.plan(cursor, now, horizon, 100))
    }
}

fn shown(plan: &Plan) -> Vec<(String, bool)> {
    plan.occurrences.iter().map(|o| (o.at.format("%H:%M").to_string(), o.dispatched())).collect()
}

fn pairs(expected: &[(&str, bool)]) -> Vec<(String, bool)> {
    expected.iter().map(|(at, dispatched)| ((*at).to_owned(), *dispatched)).collect()
}

#[test]
fn what_is_ahead_becomes_jobs_up_to_the_horizon() {
    let plan = Case::minutely().plan("10:00:00", "10:00:30", "10:03:00", 10);
    assert_eq!(shown(&plan), pairs(&[("10:01", true), ("10:02", true), ("10:03", true)]));
    assert_eq!((plan.cursor_at, plan.next_at), (at("10:03:00"), Some(at("10:04:00"))));
    assert!(!plan.has_more(at("10:03:00")));
    assert!(plan.occurrences.iter().all(|o| o.run_at == o.at && !o.catch_up && o.reason.is_none()));
}

#[test]
fn of_the_past_only_the_latest_is_made_up_for() {
    let expected = pairs(&[("10:01", false), ("10:02", false), ("10:03", true), ("10:04", true)]);
    assert_eq!(Case::minutely().shown("10:00:00", "10:03:30", "10:04:00"), expected);
    let plan = Case::minutely().plan("10:00:00", "10:03:30", "10:04:00", 10);
    let made_up: Vec<bool> = plan.occurrences.iter().map(|o| o.catch_up).collect();
    assert_eq!(made_up, [false, false, true, false]);
}

#[test]
fn an_occurrence_at_this_very_instant_is_the_latest() {
    let shown = Case::minutely().shown("10:00:00", "10:02:00", "10:02:00");
    assert_eq!(shown, pairs(&[("10:01", false), ("10:02", true)]));
}

#[test]
fn after_the_window_nothing_is_made_up_for() {
    let daily = Case::of(json!({"kind": "cron", "expression": "0 9 * * *"}));
    assert_eq!(daily.shown("08:00:00", "10:00:00", "10:01:00"), pairs(&[("09:00", true)]));
    assert_eq!(daily.shown("08:00:00", "10:00:01", "10:01:00"), pairs(&[("09:00", false)]));
    let wider = daily.with(|policies| policies.catchup_window_seconds = 7200);
    assert_eq!(wider.shown("08:00:00", "10:00:01", "10:01:00"), pairs(&[("09:00", true)]));
}

#[test]
fn none_makes_up_for_nothing_but_the_managers_own_lateness() {
    let none = Case::minutely().with(|policies| policies.catchup_policy = CatchupPolicy::None);
    let shown = none.shown("10:00:00", "10:03:05", "10:04:00");
    assert_eq!(shown, pairs(&[("10:01", false), ("10:02", false), ("10:03", true), ("10:04", true)]));
    let shown = none.shown("10:00:00", "10:03:11", "10:03:30");
    assert_eq!(shown, pairs(&[("10:01", false), ("10:02", false), ("10:03", false)]));
}

#[test]
fn all_makes_up_for_the_latest_so_many_within_the_window() {
    let all = Case::minutely().with(|policies| policies.catchup_policy = CatchupPolicy::All);
    assert!(all.shown("10:00:00", "10:05:30", "10:05:30").iter().all(|(_, dispatched)| *dispatched));
    let two = all.with(|policies| policies.catchup_max_runs = 2);
    let shown = two.shown("10:00:00", "10:05:30", "10:06:00");
    let expected =
        [("10:01", false), ("10:02", false), ("10:03", false), ("10:04", true), ("10:05", true), ("10:06", true)];
    assert_eq!(shown, pairs(&expected));
    let short = two.with(|policies| policies.catchup_window_seconds = 60);
    assert_eq!(short.shown("10:03:00", "10:05:30", "10:05:30"), pairs(&[("10:04", false), ("10:05", true)]));
}

#[test]
fn a_bound_cuts_the_work_and_the_next_call_goes_on() {
    let minutely = Case::minutely();
    let first = minutely.plan("10:00:00", "10:00:00", "10:05:00", 2);
    assert_eq!(shown(&first), pairs(&[("10:01", true), ("10:02", true)]));
    assert!(first.has_more(at("10:05:00")));
    let second = minutely.plan("10:02:00", "10:00:00", "10:05:00", 9);
    assert_eq!(shown(&second), pairs(&[("10:03", true), ("10:04", true), ("10:05", true)]));
}

#[test]
fn a_single_time_ends_its_schedule() {
    let once = Case::of(json!({"kind": "once", "at": "2026-05-04T10:00:20Z"}));
    let plan = once.plan("10:00:00", "10:00:10", "10:01:00", 10);
    assert_eq!((plan.occurrences.len(), plan.next_at), (1, None));
    // Late, and the last one of all.
    assert_eq!(once.shown("10:00:00", "10:59:00", "11:00:00"), pairs(&[("10:00", true)]));
}

#[test]
fn a_schedule_ends_with_its_runs() {
    let three = Case::minutely().with(|policies| policies.max_runs = Some(3));
    let plan = three.plan("10:00:00", "10:00:00", "10:09:00", 100);
    assert_eq!((plan.occurrences.len(), plan.cursor_at, plan.next_at), (3, at("10:03:00"), None));
    let over = Case { runs: 3, ..three };
    assert_eq!(over.plan("10:03:00", "10:03:00", "10:09:00", 100).next_at, None);
    // What was missed is no run.
    let late = Case { runs: 2, ..over };
    let shown = late.shown("10:00:00", "10:04:30", "10:06:00");
    assert_eq!(shown, pairs(&[("10:01", false), ("10:02", false), ("10:03", false), ("10:04", true)]));
}

#[test]
fn jitter_puts_the_start_off_and_never_to_the_next_time() {
    let jittered = Case::minutely().with(|policies| policies.jitter_seconds = 3600);
    let plan = jittered.plan("10:00:00", "10:00:00", "10:30:00", 100);
    let shifts: Vec<TimeDelta> = plan.occurrences.iter().map(|o| o.run_at - o.at).collect();
    assert!(shifts.iter().all(|shift| *shift >= TimeDelta::zero() && *shift < TimeDelta::seconds(60)));
    assert!(shifts.iter().any(|shift| *shift > TimeDelta::seconds(10)), "{shifts:?}");
    assert_eq!(plan, jittered.plan("10:00:00", "10:00:00", "10:30:00", 100));
}

#[test]
fn freeze_windows_skip_or_hold() {
    let freeze =
        |name: &str, from, to, action| Freeze { name: name.to_owned(), starts_at: at(from), ends_at: at(to), action };
    let skipping =
        Case { freezes: vec![freeze("release", "10:01:00", "10:03:00", FreezeAction::Skip)], ..Case::minutely() };
    let plan = skipping.plan("10:00:00", "10:00:00", "10:03:00", 9);
    let outcomes: Vec<_> = plan.occurrences.iter().map(|o| (o.outcome, o.reason.as_deref())).collect();
    let frozen = (SkippedCalendar, Some("freeze release"));
    assert_eq!(outcomes, [frozen, frozen, (Dispatched, None)], "the end is exclusive");
    let windows = vec![
        freeze("a", "10:01:00", "10:02:30", FreezeAction::Hold),
        freeze("b", "10:02:30", "10:05:00", FreezeAction::Hold),
    ];
    let held = Case { freezes: windows, ..Case::minutely() }.plan("10:00:00", "10:00:00", "10:02:00", 9);
    assert!(held.occurrences.iter().all(|o| o.run_at == at("10:05:00") && o.dispatched()), "{held:?}");
    assert_eq!(held.occurrences[0].reason.as_deref(), Some("held by freeze b"));
    // After downtime the latest that may run is the one that is made up for.
    let plan = skipping.plan("09:59:00", "10:02:30", "10:02:30", 9);
    let outcomes: Vec<_> = plan.occurrences.iter().map(|o| o.outcome).collect();
    assert_eq!(outcomes, [Dispatched, SkippedCalendar, SkippedCalendar]);
}
