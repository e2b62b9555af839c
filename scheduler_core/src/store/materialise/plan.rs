//! Which nominal times get their record now, and with which outcome. Pure.

use crate::domain::OccurrenceOutcome::{self, Dispatched, MissedWindow, SkippedCalendar, SkippedDstGap};
use crate::domain::timetable::{Timetable, jitter};
use crate::domain::{CatchupPolicy, Freeze, FreezeAction, TemplatePolicies};
use crate::schedule::{Occurrence, Suppression};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use uuid::Uuid;

/// An occurrence that is planned no later than this after its time is on time: that is the manager's rhythm and no
/// downtime.
const ON_TIME: TimeDelta = TimeDelta::seconds(10);
const MICRO: TimeDelta = TimeDelta::microseconds(1);

/// What a plan is made from, for one template.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planning<'a> {
    pub template: Uuid,
    pub timetable: Timetable<'a>,
    pub policies: &'a TemplatePolicies,
    /// Windows in which the merchant wants nothing to start.
    pub freezes: &'a [Freeze],
    /// Occurrences that were to run so far.
    pub runs: i64,
    /// The last nominal time that has a record.
    pub cursor_at: DateTime<Utc>,
    /// Up to here no nominal time lacks one, whatever the schedule says by now.
    pub settled_until: DateTime<Utc>,
    pub now: DateTime<Utc>,
}

/// What one template gets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Plan {
    /// The nominal times, in order.
    pub occurrences: Vec<Planned>,
    /// The last of them; as it was when there is none.
    pub cursor_at: DateTime<Utc>,
    /// The first one after them.
    pub next_at: Option<DateTime<Utc>>,
    /// Occurrences that were to run, with those.
    pub runs: i64,
    /// What the schedule counts from next, where it counts from the end of a run and the last of these does not run.
    pub counted_from: Option<DateTime<Utc>>,
}

/// One nominal time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Planned {
    pub at: DateTime<Utc>,
    pub outcome: OccurrenceOutcome,
    /// More than the outcome says.
    pub reason: Option<String>,
    /// When its job starts, if it becomes one.
    pub run_at: DateTime<Utc>,
    /// It is made up for: after everything else.
    pub catch_up: bool,
    /// Where somebody has moved it.
    pub moved_to: Option<DateTime<Utc>>,
}

impl Planned {
    pub fn dispatched(&self) -> bool {
        self.outcome == Dispatched
    }
}

/// Plans the occurrences that have no record yet, up to `horizon` and at most `max`.
///
/// What is not in the past becomes a job. What is in the past is made up for as the catch-up policy says, everything
/// else is recorded as missed. The plan ends where the template has had its runs.
pub(super) fn plan(planning: &Planning<'_>, horizon: DateTime<Utc>, max: usize) -> Plan {
    let mut occurrences: Vec<Planned> = Vec::new();
    let mut cursor_at = planning.cursor_at;
    let mut runs = planning.runs;
    let mut made_up_from = None;
    let mut counted_from = None;
    let mut timetable = planning.timetable;
    let counts_from_ends = timetable.counts_from_ends();
    let mut next = timetable.next_after(planning.settled_until);
    while let Some(occurrence) = next.filter(|next| next.at <= horizon)
        && occurrences.len() < max
    {
        if planning.has_had(runs) {
            break;
        }
        next = timetable.next_after(occurrence.at);
        let is_past = occurrence.at <= planning.now;
        if counts_from_ends {
            // Which time comes next depends on what becomes of this one.
            made_up_from = None;
        }
        let of_past = || Planning { timetable, ..*planning }.made_up_from();
        let from = if is_past { *made_up_from.get_or_insert_with(of_past) } else { planning.now };
        let planned = planning.judge(&occurrence, next.map(|next| next.at), from);
        runs += i64::from(planned.dispatched());
        cursor_at = occurrence.at;
        if counts_from_ends && !planned.dispatched() {
            // There will be no end to count from.
            counted_from = Some(occurrence.at);
            timetable = timetable.after_end_at(occurrence.at);
            next = timetable.next_after(occurrence.at);
        }
        occurrences.push(planned);
    }
    let next = next.filter(|_| !planning.has_had(runs));
    Plan { occurrences, cursor_at, next_at: next.map(|occurrence| occurrence.at), runs, counted_from }
}

impl Planning<'_> {
    /// Whether so many runs are all that the template gets.
    pub fn has_had(&self, runs: i64) -> bool {
        self.policies.max_runs.is_some_and(|most| runs >= most)
    }

    /// What becomes of one nominal time that is planned by itself, as if it were now.
    pub fn judge_alone(&self, occurrence: &Occurrence) -> Planned {
        let next = self.timetable.next_after(occurrence.at);
        self.judge(occurrence, next.map(|next| next.at), self.now)
    }

    /// What becomes of one that somebody has moved: of the freeze windows those count in which it would start.
    pub fn judge_moved(&self, occurrence: &Occurrence, to: DateTime<Utc>) -> Planned {
        let (run_at, held_by) = held(self.freezes, to);
        let suppressed = by_schedule(occurrence).map(|outcome| (outcome, None)).or_else(|| self.skipped_by_freeze(to));
        let (outcome, reason) = suppressed.unwrap_or_else(|| {
            let held = held_by.map(|freeze| format!("; held by freeze {}", freeze.name));
            (Dispatched, Some(format!("moved{}", held.unwrap_or_default())))
        });
        Planned { at: occurrence.at, outcome, reason, run_at, catch_up: false, moved_to: Some(to) }
    }

    /// What becomes of one nominal time. Those before `made_up_from` come too late.
    fn judge(&self, occurrence: &Occurrence, next: Option<DateTime<Utc>>, made_up_from: DateTime<Utc>) -> Planned {
        let at = occurrence.at;
        let (outcome, reason) = match self.suppressed(occurrence) {
            Some((outcome, reason)) => (outcome, reason),
            None if at < made_up_from => (MissedWindow, None),
            None => (Dispatched, None),
        };
        let catch_up = outcome == Dispatched && at < self.now - ON_TIME;
        let jittered = at + jitter(self.template, at, next, self.policies.jitter_seconds);
        let (run_at, held_by) = held(self.freezes, jittered);
        let reason = match (outcome, held_by) {
            (Dispatched, Some(freeze)) => Some(format!("held by freeze {}", freeze.name)),
            (Dispatched, None) if catch_up => Some("catch_up".to_owned()),
            (Dispatched, None) => occurrence.rolled_from.map(|from| format!("rolled from {}", shown(from))),
            _ => reason,
        };
        Planned { at, outcome, reason, run_at, catch_up, moved_to: None }
    }

    /// Why a nominal time gets no job, if its schedule or a freeze window says so.
    pub fn suppressed(&self, occurrence: &Occurrence) -> Option<(OccurrenceOutcome, Option<String>)> {
        by_schedule(occurrence).map(|outcome| (outcome, None)).or_else(|| self.skipped_by_freeze(occurrence.at))
    }

    fn skipped_by_freeze(&self, at: DateTime<Utc>) -> Option<(OccurrenceOutcome, Option<String>)> {
        let skipping = |freeze: &&Freeze| freeze.action == FreezeAction::Skip && freeze.contains(at);
        let freeze = self.freezes.iter().find(skipping)?;
        Some((SkippedCalendar, Some(format!("freeze {}", freeze.name))))
    }

    /// The first past occurrence that is made up for; a time after `now` when none is.
    fn made_up_from(&self) -> DateTime<Utc> {
        let limit = match self.policies.catchup_policy {
            CatchupPolicy::None => return self.now - ON_TIME,
            CatchupPolicy::Latest => 1,
            CatchupPolicy::All => usize::try_from(self.policies.catchup_max_runs).unwrap_or(1),
        };
        let window = TimeDelta::seconds(self.policies.catchup_window_seconds) + MICRO;
        let after = self.settled_until.max(self.now - window);
        let wanted = |occurrence: &Occurrence| self.suppressed(occurrence).is_none();
        let made_up = self.timetable.latest(after, self.now, limit, wanted);
        made_up.first().map_or(self.now + MICRO, |occurrence| occurrence.at)
    }
}

/// Why the schedule itself leaves a time out, if it does.
fn by_schedule(occurrence: &Occurrence) -> Option<OccurrenceOutcome> {
    occurrence.suppressed.map(|why| match why {
        Suppression::Calendar => SkippedCalendar,
        Suppression::DstGap => SkippedDstGap,
    })
}

fn shown(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// When something that was to start at `at` may start, and the last freeze window that held it.
fn held(freezes: &[Freeze], at: DateTime<Utc>) -> (DateTime<Utc>, Option<&Freeze>) {
    let (mut at, mut held_by) = (at, None);
    // Windows may follow each other: each of them holds at most once, since it lies behind then.
    while let Some(freeze) = freezes.iter().find(|freeze| freeze.action == FreezeAction::Hold && freeze.contains(at)) {
        (at, held_by) = (freeze.ends_at, Some(freeze));
    }
    (at, held_by)
}

impl Plan {
    /// Whether occurrences up to `horizon` are left.
    pub fn has_more(&self, horizon: DateTime<Utc>) -> bool {
        self.next_at.is_some_and(|next| next <= horizon)
    }
}
