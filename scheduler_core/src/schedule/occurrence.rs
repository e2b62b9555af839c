//! What an evaluation is given and what it answers.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::CalendarSet;

/// What an evaluation may depend on besides the schedule itself.
#[derive(Clone, Copy, Debug)]
pub struct EvalContext<'a> {
    /// When the template was created: the interval anchor `start`.
    pub start: DateTime<Utc>,
    /// The template, for expressions that spread load by a stable hash of it.
    pub template_id: Uuid,
    /// The calendars of the template's merchant, as far as the schedule names them.
    pub calendars: &'a CalendarSet,
    /// When the last run ended: the interval anchor `completion`. `None` while no run has ended yet.
    pub last_completion: Option<DateTime<Utc>>,
}

impl<'a> EvalContext<'a> {
    /// The context of a template that has no calendars and no finished run.
    pub fn new(start: DateTime<Utc>, template_id: Uuid) -> EvalContext<'a> {
        EvalContext { start, template_id, calendars: CalendarSet::none(), last_completion: None }
    }

    /// The same with calendars.
    pub fn with_calendars(self, calendars: &CalendarSet) -> EvalContext<'_> {
        EvalContext { calendars, ..self }
    }
}

/// One nominal time of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// The instant at which it is due.
    pub at: DateTime<Utc>,
    /// Set when a clock change touches it.
    pub note: Option<OccurrenceNote>,
    /// Set when it does not run, for a reason that its owner should find in the ledger.
    pub suppressed: Option<Suppression>,
    /// The instant that the schedule names, if a calendar moved it to `at`.
    pub rolled_from: Option<DateTime<Utc>>,
}

impl Occurrence {
    /// An occurrence that nothing special is to be said of.
    pub fn plain(at: DateTime<Utc>) -> Occurrence {
        Occurrence { at, note: None, suppressed: None, rolled_from: None }
    }

    /// Whether it runs.
    pub fn runs(&self) -> bool {
        self.suppressed.is_none()
    }

    /// The one of two that comes first. Of two at the same instant, one that runs wins over one that does not, and one
    /// that the schedule names over one that was moved there: they are one occurrence.
    pub(super) fn earlier(self, other: Occurrence) -> Occurrence {
        let rank = |it: &Occurrence| (it.at, !it.runs(), it.rolled_from);
        if rank(&other) < rank(&self) { other } else { self }
    }
}

/// The earlier of two that may be missing, by [`Occurrence::earlier`].
pub(super) fn earliest(left: Option<Occurrence>, right: Option<Occurrence>) -> Option<Occurrence> {
    match (left, right) {
        (Some(left), Some(right)) => Some(left.earlier(right)),
        (left, right) => left.or(right),
    }
}

/// Why a nominal time does not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Suppression {
    /// A calendar excludes it, or an exclusion of the schedule.
    Calendar,
    /// Its local time does not exist, and the policy is to leave it out. Its instant is the one that it would have if
    /// the clocks had not changed.
    DstGap,
}

/// How a clock change touches an occurrence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OccurrenceNote {
    /// It stands for at least one local time that does not exist that day.
    DstGap,
    /// Its local time happens twice that day.
    DstFold,
}
