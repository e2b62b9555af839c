//! Looking ahead: which times are planned, and what an edit does to them. Pure.

use super::{TemplatePolicies, Timetable};
use crate::schedule::Occurrence;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

/// Occurrences of the denser of two schedules that a comparison looks at.
const COMPARED: usize = 100;
/// As far as a comparison looks ahead.
const FURTHEST: TimeDelta = TimeDelta::days(366);
/// Nominal times that one look ahead may cost, whatever calendars leave of them.
const LOOKED_AT: usize = 20_000;

/// What an edit does to the next occurrences.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct OccurrenceChanges {
    /// Looked at is what comes after this time …
    pub from: DateTime<Utc>,
    /// … up to this one: the 100th occurrence of whichever schedule has it first, a year ahead at most.
    pub to: DateTime<Utc>,
    /// Times that come.
    pub added: Vec<DateTime<Utc>>,
    /// Times that go.
    pub removed: Vec<DateTime<Utc>>,
    /// Times that go with one that comes next to each of them.
    pub moved: Vec<Moved>,
    /// How many stay.
    pub unchanged: usize,
    /// What somebody has skipped or moved and stays so. What is skipped is in none of the lists above.
    pub kept: Vec<AlteredOccurrence>,
    /// What somebody has skipped or moved and is no nominal time any more.
    pub lost: Vec<AlteredOccurrence>,
}

/// An occurrence to come that somebody has skipped or moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct AlteredOccurrence {
    /// Its nominal time.
    pub at: DateTime<Utc>,
    /// When it starts; null: it is skipped.
    pub moved_to: Option<DateTime<Utc>>,
}

/// A time that goes, and the one that comes next to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct Moved {
    /// The time that goes.
    pub from: DateTime<Utc>,
    /// The time that comes.
    pub to: DateTime<Utc>,
}

/// A template as far as its future is concerned.
#[derive(Clone, Copy, Debug)]
pub struct Outlook<'a> {
    /// Its times.
    pub timetable: Timetable<'a>,
    /// Its policies.
    pub policies: &'a TemplatePolicies,
    /// Occurrences that became jobs so far.
    pub runs: i64,
    /// Whether it fires.
    pub active: bool,
}

impl Outlook<'_> {
    /// The times after `after` at which it will run, in order; those that calendars leave out are not among them.
    fn runs_after(&self, after: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> {
        let left = self.policies.max_runs.map_or(i64::MAX, |most| most - self.runs);
        let left = if self.active { usize::try_from(left).unwrap_or(0) } else { 0 };
        let nominal = self.timetable.occurrences(after).take(LOOKED_AT);
        nominal.filter(Occurrence::runs).take(left).map(|occurrence| occurrence.at)
    }

    /// The latest `limit` of the occurrences to come in `after < time <= until`, the latest first; those that calendars leave
    /// out are among them.
    pub fn latest(&self, after: DateTime<Utc>, until: DateTime<Utc>, limit: usize) -> Vec<Occurrence> {
        if !self.active || after >= until {
            return Vec::new();
        }
        let end = match self.policies.max_runs {
            None => until,
            // Where the runs end can only be found from here on.
            Some(_) => self.runs_after(after).take_while(|at| *at <= until).last().unwrap_or(after),
        };
        let mut found = self.timetable.latest(after, end, limit, |_| true);
        found.reverse();
        found
    }
}

/// What happens to the occurrences after `from` when a template becomes another; `None` for one that is created. `altered`:
/// what somebody has skipped or moved of the old one.
pub fn compare(
    old: Option<&Outlook<'_>>,
    new: &Outlook<'_>,
    from: DateTime<Utc>,
    altered: &[AlteredOccurrence],
) -> OccurrenceChanges {
    let is_skipped = |at: &DateTime<Utc>| altered.iter().any(|it| it.at == *at && it.moved_to.is_none());
    let ahead = |outlook: &Outlook<'_>| -> Vec<DateTime<Utc>> {
        let runs = outlook.runs_after(from).filter(|at| !is_skipped(at)).take(COMPARED);
        runs.take_while(|at| *at - from <= FURTHEST).collect()
    };
    let (kept, lost) = altered.iter().partition(|it| new.timetable.at(it.at).is_some());
    let (before, after) = (old.map(ahead).unwrap_or_default(), ahead(new));
    // Beyond the end of a list that was cut nothing is known.
    let end = |times: &[DateTime<Utc>]| times.get(COMPARED - 1).copied();
    let to = end(&before).into_iter().chain(end(&after)).min().unwrap_or(from + FURTHEST);
    let within = |times: Vec<DateTime<Utc>>| times.into_iter().filter(|at| *at <= to).collect::<Vec<_>>();
    let (before, after) = (within(before), within(after));
    let removed: Vec<_> = before.iter().copied().filter(|at| after.binary_search(at).is_err()).collect();
    let added: Vec<_> = after.iter().copied().filter(|at| before.binary_search(at).is_err()).collect();
    let unchanged = before.len() - removed.len();
    let moved = moves(&removed, &added);
    let stays = |times: Vec<DateTime<Utc>>, gone: fn(&Moved) -> DateTime<Utc>| {
        times.into_iter().filter(|at| moved.iter().all(|it| gone(it) != *at)).collect()
    };
    let (removed, added) = (stays(removed, |it| it.from), stays(added, |it| it.to));
    OccurrenceChanges { from, to, added, removed, moved, unchanged, kept, lost }
}

/// Pairs of a time that goes and one that comes, each the nearest to the other.
fn moves(removed: &[DateTime<Utc>], added: &[DateTime<Utc>]) -> Vec<Moved> {
    let pair = |from: &DateTime<Utc>| {
        let to = nearest(added, *from)?;
        (nearest(removed, to)? == *from).then_some(Moved { from: *from, to })
    };
    removed.iter().filter_map(pair).collect()
}

/// The nearest of times in order; of two as near, the earlier.
fn nearest(times: &[DateTime<Utc>], at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let next = times.partition_point(|it| *it < at);
    let around = [next.checked_sub(1), Some(next)].into_iter().flatten().filter_map(|index| times.get(index));
    around.min_by_key(|it| (**it - at).abs()).copied()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::schedule::{EvalContext, Schedule};
    use serde_json::json;
    use uuid::Uuid;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn cron(expression: &str) -> Schedule {
        Schedule::parse(&json!({"kind": "cron", "expression": expression})).unwrap()
    }

    fn outlook<'a>(schedule: &'a Schedule, policies: &'a TemplatePolicies) -> Outlook<'a> {
        let context = EvalContext::new(at("2026-01-01T00:00:00Z"), Uuid::nil());
        Outlook { timetable: Timetable::new(schedule, policies, context), policies, runs: 0, active: true }
    }

    #[test]
    fn times_next_to_each_other_have_moved() {
        let policies = TemplatePolicies { end_at: Some(at("2026-05-08T00:00:00Z")), ..TemplatePolicies::default() };
        let (nine, ten) = (cron("0 9 * * *"), cron("0 10 * * 1-5"));
        let from = at("2026-05-01T12:00:00Z");
        let found = compare(Some(&outlook(&nine, &policies)), &outlook(&ten, &policies), from, &[]);
        let days = |days: &[&str], hour: u32| {
            days.iter().map(|d| at(&format!("2026-05-{d}T{hour:02}:00:00Z"))).collect::<Vec<_>>()
        };
        assert_eq!(found.removed, days(&["02", "03"], 9), "a weekend");
        assert_eq!(found.moved.iter().map(|it| it.to).collect::<Vec<_>>(), days(&["04", "05", "06", "07"], 10));
        assert_eq!((found.added.len(), found.unchanged), (0, 0));
    }

    #[test]
    fn the_denser_schedule_bounds_the_look() {
        let policies = TemplatePolicies::default();
        let (minutely, monthly) = (cron("* * * * *"), cron("0 0 1 * *"));
        let from = at("2026-05-01T12:00:00Z");
        let found = compare(Some(&outlook(&minutely, &policies)), &outlook(&monthly, &policies), from, &[]);
        assert_eq!((found.to, found.removed.len()), (at("2026-05-01T13:40:00Z"), 100));
        let same = compare(Some(&outlook(&monthly, &policies)), &outlook(&monthly, &policies), from, &[]);
        assert_eq!((same.unchanged, same.to), (12, from + FURTHEST));
        let created = compare(None, &outlook(&monthly, &policies), from, &[]);
        assert_eq!(created.added.len(), 12);
    }

    #[test]
    fn what_is_skipped_or_moved_stays_so_where_it_is_a_time_still() {
        let policies = TemplatePolicies { end_at: Some(at("2026-05-06T00:00:00Z")), ..TemplatePolicies::default() };
        let (daily, twice) = (cron("0 9 * * *"), cron("0 9,10 4-5 * *"));
        let altered = |day: &str, moved_to| AlteredOccurrence { at: at(&format!("2026-05-{day}T09:00:00Z")), moved_to };
        let all = [altered("03", None), altered("04", None), altered("05", Some(at("2026-05-05T12:00:00Z")))];
        let from = at("2026-05-01T12:00:00Z");
        let found = compare(Some(&outlook(&daily, &policies)), &outlook(&twice, &policies), from, &all);
        assert_eq!((found.kept, found.lost), (all[1..].to_vec(), all[..1].to_vec()));
        let moved = [Moved { from: at("2026-05-02T09:00:00Z"), to: at("2026-05-04T10:00:00Z") }];
        assert_eq!((found.moved.as_slice(), found.removed.len()), (&moved[..], 0), "the third would not have run");
        assert_eq!((found.added.len(), found.unchanged), (1, 1));
    }

    #[test]
    fn a_template_that_does_not_fire_or_has_had_its_runs_has_no_future() {
        let policies = TemplatePolicies { max_runs: Some(3), ..TemplatePolicies::default() };
        let hourly = cron("0 * * * *");
        let three = outlook(&hourly, &policies);
        let (from, until) = (at("2026-05-01T12:00:00Z"), at("2026-05-02T12:00:00Z"));
        let times: Vec<_> = three.latest(from, until, 10).into_iter().map(|o| o.at.format("%H").to_string()).collect();
        assert_eq!(times, ["15", "14", "13"]);
        assert_eq!(three.latest(from, until, 2).len(), 2);
        assert!(Outlook { active: false, ..three }.latest(from, until, 10).is_empty());
        assert!(Outlook { runs: 3, ..three }.latest(from, until, 10).is_empty());
    }
}
