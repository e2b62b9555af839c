//! What became of a nominal time of a template.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The outcomes of the ledger; each nominal time has exactly one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OccurrenceOutcome {
    /// It became a job.
    Dispatched,
    /// An earlier one was still live as it fell due.
    SkippedOverlap,
    /// A calendar or a freeze window excludes it.
    SkippedCalendar,
    /// Somebody skipped this one.
    SkippedUser,
    /// Its local time does not exist, and the schedule says to skip it then.
    SkippedDstGap,
    /// Nobody was there to plan it in time, and the catch-up policy does not make up for it.
    MissedWindow,
    /// The template was paused.
    MissedPaused,
    /// A quota left no room for it.
    DroppedQuota,
    /// A backfill made its job.
    Backfilled,
}

impl OccurrenceOutcome {
    /// Every outcome.
    pub const ALL: [Self; 9] = [
        Self::Dispatched,
        Self::SkippedOverlap,
        Self::SkippedCalendar,
        Self::SkippedUser,
        Self::SkippedDstGap,
        Self::MissedWindow,
        Self::MissedPaused,
        Self::DroppedQuota,
        Self::Backfilled,
    ];

    /// The name in the API and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dispatched => "dispatched",
            Self::SkippedOverlap => "skipped_overlap",
            Self::SkippedCalendar => "skipped_calendar",
            Self::SkippedUser => "skipped_user",
            Self::SkippedDstGap => "skipped_dst_gap",
            Self::MissedWindow => "missed_window",
            Self::MissedPaused => "missed_paused",
            Self::DroppedQuota => "dropped_quota",
            Self::Backfilled => "backfilled",
        }
    }

    /// Reads the database's name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for outcome in OccurrenceOutcome::ALL {
            assert_eq!(OccurrenceOutcome::parse(outcome.as_str()), Some(outcome));
        }
        assert_eq!(OccurrenceOutcome::parse("lost"), None);
    }
}
