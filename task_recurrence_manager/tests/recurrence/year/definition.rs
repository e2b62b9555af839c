//! What a template is made of: a schedule and policies, by chance.

use super::times::calendars::NAMES;
use super::times::cron::Density;
use super::times::{Around, Calendars, Schedule, Span};
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use scheduler_core::schedule;
use serde_json::{Value, json};
use std::sync::Arc;
use test_support::Random;
use uuid::Uuid;

#[derive(Clone, Debug)]
pub struct Definition {
    pub schedule: Arc<Schedule>,
    pub policies: Policies,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Catchup {
    None,
    Latest,
    All,
}

#[derive(Clone, Debug)]
pub struct Policies {
    pub catchup: Catchup,
    pub catchup_window: TimeDelta,
    pub catchup_max_runs: usize,
    pub jitter: TimeDelta,
    pub start_at: Option<DateTime<Utc>>,
    pub end_at: Option<DateTime<Utc>>,
    pub max_runs: Option<usize>,
    pub delete_after: bool,
    pub pause_after: Option<usize>,
}

impl Definition {
    /// One that makes sense from `now` on. `completion`: it counts from the ends of runs, and goes on doing so.
    pub fn random(random: &mut Random, now: DateTime<Utc>, completion: bool) -> Self {
        let density = match random.below(100) {
            _ if completion => Density::Rare,
            ..80 => Density::Rare,
            80..90 => Density::Hourly,
            _ => Density::Dense,
        };
        let schedule = loop {
            let schedule =
                if completion { Schedule::from_completion(random) } else { Schedule::random(random, density, now) };
            // What never runs is refused, and no loss.
            if schedule::Schedule::parse(&schedule.json()).is_ok() {
                break schedule;
            }
        };
        let mut policies = Policies::random(random);
        if !completion {
            policies.bound(random, &schedule, density, now);
        }
        Self { schedule: Arc::new(schedule), policies }
    }

    /// As the API takes it.
    pub fn body(&self, name: &str, active: bool) -> Value {
        let policies = &self.policies;
        let mut body = json!({
            "name": name, "active": active, "schedule": self.schedule.json(), "job": {"target": {"kind": "noop"}},
            "overlap": "allow_all", "catchup_window_seconds": policies.catchup_window.num_seconds(),
            "catchup_max_runs": policies.catchup_max_runs, "jitter_seconds": policies.jitter.num_seconds(),
            "start_at": policies.start_at, "end_at": policies.end_at, "max_runs": policies.max_runs,
            "pause_after_failures": policies.pause_after,
        });
        body["catchup_policy"] = json!(match policies.catchup {
            Catchup::None => "none",
            Catchup::Latest => "latest",
            Catchup::All => "all",
        });
        if policies.delete_after {
            body["action_after_completion"] = json!("delete");
        }
        body
    }

    /// Whether something about it depends on how its jobs end.
    pub fn is_tracked(&self) -> bool {
        self.schedule.completion().is_some() || self.policies.delete_after || self.policies.pause_after.is_some()
    }
}

impl Policies {
    fn random(random: &mut Random) -> Self {
        const WINDOWS: [i64; 7] = [0, 60, 600, 3_600, 6 * 3_600, 3 * 86_400, 30 * 86_400];
        Self {
            catchup: *random.pick(&[Catchup::None, Catchup::Latest, Catchup::Latest, Catchup::All, Catchup::All]),
            catchup_window: TimeDelta::seconds(*random.pick(&WINDOWS)),
            catchup_max_runs: *random.pick(&[1, 2, 3, 5, 100]),
            jitter: TimeDelta::seconds(if random.chance(30) { *random.pick(&[30, 600, 7_200, 40_000]) } else { 0 }),
            start_at: None,
            end_at: None,
            max_runs: random.chance(15).then(|| 1 + random.below(60) as usize),
            delete_after: random.chance(8),
            pause_after: random.chance(8).then(|| 1 + random.below(4) as usize),
        }
    }

    /// First and last times, for some just by chance and for dense schedules so that the ledger stays small.
    fn bound(&mut self, random: &mut Random, schedule: &Schedule, density: Density, now: DateTime<Utc>) {
        let hours = |random: &mut Random, most: u64| TimeDelta::seconds(random.below(most * 3_600) as i64);
        if density == Density::Dense {
            let start = now + hours(random, 24 * 20) - TimeDelta::hours(30);
            (self.start_at, self.end_at) = (Some(start), Some(start + TimeDelta::hours(2) + hours(random, 34)));
        } else if random.chance(12) {
            let span = Span { after: now, until: now + TimeDelta::days(30) };
            let nothing: Calendars = NAMES.map(|name| (name, Default::default())).into();
            let around = Around { template: Uuid::nil(), created_at: now, calendars: &nothing };
            let times = schedule.times(span, around);
            // Exactly at a time of the schedule, to see that bounds are inclusive.
            let chosen = |random: &mut Random| times.get(random.below(30) as usize).map(|time| time.at);
            self.start_at = if random.chance(50) { chosen(random) } else { Some(now + hours(random, 24 * 10)) };
            if random.chance(50) {
                let end = if random.chance(50) { chosen(random) } else { Some(now + hours(random, 24 * 60)) };
                self.end_at = end.filter(|end| self.start_at.is_none_or(|start| start <= *end));
            }
        }
        // The database keeps microseconds.
        self.start_at = self.start_at.map(|at| at.trunc_subsecs(6));
        self.end_at = self.end_at.map(|at| at.trunc_subsecs(6));
    }
}
