//! Backfills: a stretch of a template's past that is run after all, or again. Pure.

use super::{BackfillId, JobState, OccurrenceOutcome, TemplateId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The most nominal times of one backfill.
pub const MAX_TIMES: usize = 10_000;
/// The most jobs of one backfill that are live at a time.
pub const MAX_ACTIVE: i32 = 1_000;

/// In which order the nominal times are run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BackfillOrder {
    /// From the beginning of the range to its end.
    #[default]
    OldestFirst,
    /// From its end to its beginning.
    NewestFirst,
}

/// Which nominal times are run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reprocess {
    /// Those that never ran: missed, skipped (but for what somebody has skipped on purpose), expired, or unknown to the ledger.
    #[default]
    None,
    /// Those too whose job became a dead letter.
    Failed,
    /// All of them again, whatever became of them.
    Completed,
}

/// Where a backfill is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BackfillState {
    /// It makes jobs, as far as `max_active` allows.
    Running,
    /// It makes no more until it is resumed; what it has made goes on.
    Paused,
    /// Every time has been looked at, and every job has ended.
    Completed,
    /// It makes no more. Jobs that have started go on.
    Cancelled,
}

/// What became of a nominal time so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// The ledger has nothing about it.
    Unrecorded,
    /// It has had no job.
    WithoutJob(OccurrenceOutcome),
    /// Its job is live.
    Live,
    /// Its job has ended so; none: nobody knows any more how.
    Ended(Option<JobState>),
}

/// A backfill, as the API shows it.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct Backfill {
    /// Its id; sorts by creation.
    #[schema(value_type = uuid::Uuid)]
    pub id: BackfillId,
    /// The template.
    #[schema(value_type = uuid::Uuid)]
    pub template_id: TemplateId,
    /// Where it is in its life.
    pub state: BackfillState,
    /// Why it was cancelled, when nobody asked for it.
    pub reason: Option<String>,
    /// The earliest nominal time, inclusive.
    pub from: DateTime<Utc>,
    /// The latest nominal time, inclusive.
    pub to: DateTime<Utc>,
    /// In which order.
    pub order: BackfillOrder,
    /// So many of its jobs are live at a time.
    pub max_active: i32,
    /// Which nominal times.
    pub reprocess: Reprocess,
    /// The first nominal time that there was to run; null when there was none.
    pub first: Option<DateTime<Utc>>,
    /// The last one.
    pub last: Option<DateTime<Utc>>,
    /// How far it is.
    pub progress: BackfillProgress,
    /// When it was started.
    pub created_at: DateTime<Utc>,
    /// When it was completed or cancelled.
    pub ended_at: Option<DateTime<Utc>>,
}

/// How far a backfill is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, ToSchema)]
pub struct BackfillProgress {
    /// Times that there were to run when it was started.
    pub total: i64,
    /// Jobs that were made.
    pub created: i64,
    /// Those that have not ended: waiting, running, or before another attempt.
    pub running: i64,
    /// Those that succeeded.
    pub succeeded: i64,
    /// Those that became dead letters.
    pub failed: i64,
    /// Those that were cancelled or expired.
    pub other: i64,
    /// Times that are still to come; less if somebody else runs some of them meanwhile.
    pub remaining: i64,
}

/// What a backfill would do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct BackfillForecast {
    /// Nominal times in the range that the schedule runs.
    pub nominal: usize,
    /// How many of them it would run.
    pub total: usize,
    /// The first one.
    pub first: Option<DateTime<Utc>>,
    /// The last one.
    pub last: Option<DateTime<Utc>>,
}

impl Reprocess {
    /// Whether a nominal time is run.
    pub fn wants(self, fate: Fate) -> bool {
        match fate {
            Fate::Unrecorded => true,
            // It is being run already.
            Fate::Live => false,
            Fate::WithoutJob(OccurrenceOutcome::SkippedUser) => self == Self::Completed,
            Fate::WithoutJob(_) | Fate::Ended(Some(JobState::Expired)) => true,
            Fate::Ended(Some(JobState::Dead)) => self != Self::None,
            Fate::Ended(_) => self == Self::Completed,
        }
    }
}

impl Fate {
    /// In words, for the ledger.
    pub fn describe(self) -> String {
        match self {
            Self::Unrecorded => "had no record".to_owned(),
            Self::WithoutJob(outcome) => format!("was {}", outcome.as_str()),
            Self::Ended(Some(state)) => format!("was {state}"),
            Self::Live | Self::Ended(None) => "had run".to_owned(),
        }
    }
}

macro_rules! named {
    ($kind:ident: $($variant:ident = $name:literal),+) => {
        impl $kind {
            /// The name in the API and in the database.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// Reads the database's name.
            pub fn parse(text: &str) -> Option<Self> {
                [$(Self::$variant),+].into_iter().find(|it| it.as_str() == text)
            }
        }
    };
}

named!(Reprocess: None = "none", Failed = "failed", Completed = "completed");
named!(BackfillState: Running = "running", Paused = "paused", Completed = "completed", Cancelled = "cancelled");
named!(BackfillOrder: OldestFirst = "oldest_first", NewestFirst = "newest_first");

impl BackfillState {
    /// Whether it is over.
    pub fn is_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use JobState::*;
    use OccurrenceOutcome::*;

    #[test]
    fn what_is_run_depends_on_what_became_of_it() {
        let all = [
            Fate::Unrecorded,
            Fate::Live,
            Fate::WithoutJob(MissedWindow),
            Fate::WithoutJob(MissedPaused),
            Fate::WithoutJob(SkippedOverlap),
            Fate::WithoutJob(SkippedCalendar),
            Fate::WithoutJob(SkippedUser),
            Fate::Ended(Some(Expired)),
            Fate::Ended(Some(Dead)),
            Fate::Ended(Some(Succeeded)),
            Fate::Ended(Some(Cancelled)),
            Fate::Ended(None),
        ];
        let wanted = |reprocess: Reprocess| all.map(|fate| u8::from(reprocess.wants(fate)));
        assert_eq!(wanted(Reprocess::None), [1, 0, 1, 1, 1, 1, 0, 1, 0, 0, 0, 0]);
        assert_eq!(wanted(Reprocess::Failed), [1, 0, 1, 1, 1, 1, 0, 1, 1, 0, 0, 0]);
        assert_eq!(wanted(Reprocess::Completed), [1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
    }

    #[test]
    fn names_are_the_same_everywhere() {
        for state in ["running", "paused", "completed", "cancelled"] {
            assert_eq!(serde_json::to_value(BackfillState::parse(state).unwrap()).unwrap(), state);
        }
        for reprocess in ["none", "failed", "completed"] {
            assert_eq!(serde_json::to_value(Reprocess::parse(reprocess).unwrap()).unwrap(), reprocess);
        }
        for order in ["oldest_first", "newest_first"] {
            assert_eq!(serde_json::to_value(BackfillOrder::parse(order).unwrap()).unwrap(), order);
        }
        assert_eq!(BackfillState::parse("lost"), None);
    }
}
