//! Several schedules as one, minus exclusions.

use super::schedule::Schedule;
use super::windows::Windows;
use super::{Around, Fate, Nominal, Span, merged};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

#[derive(Clone, Debug)]
pub struct Union {
    pub members: Vec<Schedule>,
    pub except: Vec<Exclusion>,
}

#[derive(Clone, Debug)]
pub enum Exclusion {
    Times(Box<Schedule>),
    /// All the time that windows are open.
    Open(Windows),
    /// Without its end.
    Span(DateTime<Utc>, DateTime<Utc>),
}

impl Union {
    pub fn json(&self) -> Value {
        let members: Vec<Value> = self.members.iter().map(Schedule::json).collect();
        let except: Vec<Value> = self.except.iter().map(Exclusion::json).collect();
        json!({"kind": "union", "schedules": members, "except": except})
    }

    pub fn times(&self, span: Span, around: Around<'_>) -> Vec<Nominal> {
        let mut times = merged(self.members.iter().flat_map(|member| member.times(span, around)).collect());
        for exclusion in &self.except {
            let out = exclusion.out(span, around);
            times.retain(|it| !out(it.at));
        }
        times
    }
}

impl Exclusion {
    fn json(&self) -> Value {
        let stamp = |at: &DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        match self {
            Self::Times(schedule) => schedule.json(),
            Self::Open(windows) => windows.json(),
            Self::Span(from, to) => json!({"from": stamp(from), "to": stamp(to)}),
        }
    }

    /// Tells of an instant within the span whether it is taken out.
    fn out<'a>(&'a self, span: Span, around: Around<'_>) -> Box<dyn Fn(DateTime<Utc>) -> bool + 'a> {
        match self {
            Self::Open(windows) => Box::new(|at| windows.is_open(at)),
            Self::Span(from, to) => Box::new(|at| *from <= at && at < *to),
            Self::Times(schedule) => {
                let times = schedule.times(span, around);
                let running = times.into_iter().filter(|it| it.fate == Fate::Runs).map(|it| it.at);
                let running: std::collections::BTreeSet<_> = running.collect();
                Box::new(move |at| running.contains(&at))
            }
        }
    }
}
