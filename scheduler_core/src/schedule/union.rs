//! `union`: several schedules as one, minus exclusions.

use std::cell::Cell;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde_json::{Map, Value};

use super::object::{Members, type_name};
use super::occurrence::earliest;
use super::once::instant;
use super::words::quoted;
use super::{EvalContext, Kind, Occurrence, Schedule, ScheduleError, Suppression};

const MEMBERS: [&str; 3] = ["schedules", "except", "timezone"];

/// The most schedules in one list.
const MAX_MEMBERS: usize = 32;

/// The most schedules within one, on all levels together.
const MAX_NODES: usize = 128;

/// How deep unions may lie in unions.
const MAX_DEPTH: usize = 4;

/// Evaluations that one search may cost, on all levels together, before it takes a rest.
const MOST_EVALUATIONS: usize = 2_000;

/// What is left of [`MOST_EVALUATIONS`] for one search.
#[derive(Debug)]
pub(super) struct Budget(Cell<usize>);

impl Budget {
    pub(super) fn new() -> Budget {
        Budget(Cell::new(MOST_EVALUATIONS))
    }

    fn spend(&self) {
        self.0.set(self.0.get().saturating_sub(1));
    }

    fn is_spent(&self) -> bool {
        self.0.get() == 0
    }
}

/// The times of several schedules, minus exclusions. Times that meet are one.
#[derive(Clone, Debug)]
pub struct UnionSchedule {
    members: Vec<Schedule>,
    except: Vec<Exclusion>,
    timezone: Tz,
}

/// What is taken out.
#[derive(Clone, Debug)]
enum Exclusion {
    /// The times of a schedule; of windows, all the time that they are open.
    Times(Schedule),
    /// From the first to before the second.
    Span(DateTime<Utc>, DateTime<Utc>),
}

impl UnionSchedule {
    /// The schedules that it is made of, exclusions among them.
    pub(super) fn parts(&self) -> impl Iterator<Item = &Schedule> {
        self.placed_parts().map(|(_, _, schedule)| schedule)
    }

    /// The same, each with the list in which it stands and its place there.
    pub(super) fn placed_parts(&self) -> impl Iterator<Item = (&'static str, usize, &Schedule)> {
        let members = self.members.iter().enumerate().map(|(index, member)| ("schedules", index, member));
        let excluded = self.except.iter().enumerate().filter_map(|(index, exclusion)| match exclusion {
            Exclusion::Times(schedule) => Some(("except", index, schedule)),
            Exclusion::Span(..) => None,
        });
        members.chain(excluded)
    }

    pub(super) fn timezone(&self) -> Tz {
        self.timezone
    }

    /// The next time that is not excluded. A search that meets too many exclusions in a row answers with the last of
    /// them, suppressed: the caller goes on from there, and no call takes long.
    pub(super) fn next_after(
        &self,
        after: DateTime<Utc>,
        ctx: &EvalContext<'_>,
        budget: &Budget,
    ) -> Option<Occurrence> {
        let mut after = after;
        loop {
            let next = |best, member: &Schedule| {
                budget.spend();
                earliest(best, member.next_within(after, ctx, budget))
            };
            let found = self.members.iter().fold(None, next)?;
            let Some(until) = self.excluded_until(found.at, ctx, budget) else { return Some(found) };
            if budget.is_spent() {
                return Some(Occurrence { suppressed: Some(Suppression::Calendar), ..found });
            }
            after = until.max(found.at);
        }
    }

    /// If the instant is excluded: the last instant that is known to be so.
    fn excluded_until(&self, at: DateTime<Utc>, ctx: &EvalContext<'_>, budget: &Budget) -> Option<DateTime<Utc>> {
        self.except.iter().filter_map(|exclusion| exclusion.holds_until(at, ctx, budget)).max()
    }

    pub(super) fn describe(&self) -> String {
        let members: Vec<_> = self.members.iter().map(Schedule::describe).collect();
        let mut text = members.join("; and ");
        if !self.except.is_empty() {
            let except: Vec<_> = self.except.iter().map(Exclusion::describe).collect();
            text += &format!("; except: {}", except.join("; and "));
        }
        text
    }

    pub(super) fn warnings(&self, from: DateTime<Utc>) -> Vec<String> {
        let mut warnings: Vec<String> = Vec::new();
        for warning in self.members.iter().flat_map(|member| member.warnings(from)) {
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
        warnings
    }
}

impl Exclusion {
    fn holds_until(&self, at: DateTime<Utc>, ctx: &EvalContext<'_>, budget: &Budget) -> Option<DateTime<Utc>> {
        match self {
            Exclusion::Span(from, to) => (*from <= at && at < *to).then(|| *to - TimeDelta::microseconds(1)),
            Exclusion::Times(schedule) => match schedule.kind() {
                Kind::Windows(windows) => {
                    windows.open_until(at.timestamp()).and_then(|close| DateTime::from_timestamp(close, 0))
                }
                _ => {
                    budget.spend();
                    let found = schedule.next_within(at - TimeDelta::microseconds(1), ctx, budget)?;
                    (found.at == at && found.runs()).then_some(at)
                }
            },
        }
    }

    fn describe(&self) -> String {
        match self {
            Exclusion::Times(schedule) => schedule.describe(),
            Exclusion::Span(from, to) => format!("from {} to {}", stamp(*from), stamp(*to)),
        }
    }
}

fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

/// Reads a union from its JSON object; `depth` is how many unions it lies in.
pub(super) fn parse(object: &Map<String, Value>, depth: usize) -> Result<UnionSchedule, Vec<ScheduleError>> {
    const EXAMPLE: &str = "[{\"kind\":\"cron\",\"expression\":\"0 9 * * *\"}]";
    if depth >= MAX_DEPTH {
        return Err(vec![ScheduleError::whole(format!("unions lie in unions more than {MAX_DEPTH} deep"))]);
    }
    if depth == 0 && nodes(object) > MAX_NODES {
        let detail = format!("{} schedules on all levels; allowed are {MAX_NODES}", nodes(object));
        return Err(vec![ScheduleError::at("schedules", detail)]);
    }
    let mut members = Members::new(object, &MEMBERS);
    let given = members.get("timezone").is_some().then(|| members.timezone());
    members.required("schedules", EXAMPLE);
    let schedules = each(&mut members, "schedules", |value| Schedule::parse_at(value, depth + 1));
    if schedules.as_ref().is_some_and(Vec::is_empty) {
        members.refuse("schedules", format!("no schedule is given; an example: {EXAMPLE}"));
    }
    let except = each(&mut members, "except", |value| exclusion(value, depth)).unwrap_or_default();
    let built = schedules.map(|schedules| {
        let timezone = given.or(schedules.first().map(Schedule::timezone)).unwrap_or(Tz::UTC);
        UnionSchedule { members: schedules, except, timezone }
    });
    members.finish(built)
}

/// The entries of a list of objects; `None` when it is missing or something is wrong, which is recorded.
fn each<T>(
    members: &mut Members<'_>,
    name: &str,
    read: impl Fn(&Value) -> Result<T, Vec<ScheduleError>>,
) -> Option<Vec<T>> {
    let value = members.get(name)?;
    let Some(list) = value.as_array().filter(|list| list.len() <= MAX_MEMBERS) else {
        let found = value.as_array().map_or(type_name(value).to_owned(), |list| format!("{} entries", list.len()));
        members.refuse(name, format!("`{name}` must be a list of at most {MAX_MEMBERS} schedules, found {found}"));
        return None;
    };
    let mut all = Vec::with_capacity(list.len());
    for (index, value) in list.iter().enumerate() {
        match read(value) {
            Ok(entry) => all.push(entry),
            Err(errors) => {
                let under = format!("/{name}/{index}");
                errors.into_iter().for_each(|error| members.record(error.under(&under)));
            }
        }
    }
    (all.len() == list.len()).then_some(all)
}

/// A schedule, or `{"from":…,"to":…}`.
fn exclusion(value: &Value, depth: usize) -> Result<Exclusion, Vec<ScheduleError>> {
    let Some(object) = value.as_object().filter(|object| !object.contains_key("kind") && object.contains_key("from"))
    else {
        return Schedule::parse_at(value, depth + 1).map(Exclusion::Times);
    };
    let mut members = Members::plain(object, &["from", "to"]);
    let mut end = |name: &str| {
        let text = members.required(name, "\"2026-12-24T00:00:00Z\"").and_then(|value| members.text(name, value))?;
        instant(text).map_err(|problem| members.refuse(name, problem)).ok()
    };
    let (from, to) = (end("from"), end("to"));
    let both = from.zip(to).filter(|(from, to)| {
        if to <= from {
            members.refuse("to", format!("{} is not after `from`", quoted(&stamp(*to))));
        }
        from < to
    });
    members.finish(both.map(|(from, to)| Exclusion::Span(from, to)))
}

/// How many schedules an object holds, itself included; stops counting where it is certainly too many.
fn nodes(object: &Map<String, Value>) -> usize {
    fn count(value: &Value, left: usize) -> usize {
        let inner = ["schedules", "except"].iter().filter_map(|name| value.get(name)?.as_array()).flatten();
        inner.take(left).fold(1, |sum, value| if sum > left { sum } else { sum + count(value, left - sum.min(left)) })
    }
    let inner = ["schedules", "except"].iter().filter_map(|name| object.get(*name)?.as_array()).flatten();
    inner.fold(1, |sum, value| if sum > MAX_NODES { sum } else { sum + count(value, MAX_NODES) })
}
