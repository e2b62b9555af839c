//! The states of a job.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a job is in its life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waits for the jobs it depends on.
    Blocked,
    /// Waits for `run_at`; once that has come it is queued.
    Scheduled,
    /// One execution holds a claim. Never stored: a claim exists.
    Running,
    /// The last attempt failed and the failure watcher has not decided yet.
    Failed,
    /// Waits for the end of its backoff.
    Retrying,
    /// Done.
    Succeeded,
    /// Retries are used up or not allowed: a dead letter.
    Dead,
    /// Called off.
    Cancelled,
    /// Never ran because a policy or a parent said so.
    Skipped,
    /// Could not start before its deadline.
    Expired,
}

impl JobState {
    /// Every state.
    pub const ALL: [Self; 10] = [
        Self::Blocked,
        Self::Scheduled,
        Self::Running,
        Self::Failed,
        Self::Retrying,
        Self::Succeeded,
        Self::Dead,
        Self::Cancelled,
        Self::Skipped,
        Self::Expired,
    ];

    /// States that nothing leaves. Only `jobs_finished` holds them.
    pub const TERMINAL: [Self; 5] = [Self::Succeeded, Self::Dead, Self::Cancelled, Self::Skipped, Self::Expired];

    /// States that `jobs_live` stores; `running` is derived from them and a claim.
    pub const STORED_LIVE: [Self; 4] = [Self::Blocked, Self::Scheduled, Self::Retrying, Self::Failed];

    /// States from which an executor may claim the job once it is due.
    pub const CLAIMABLE: [Self; 2] = [Self::Scheduled, Self::Retrying];

    /// Whether nothing leaves this state.
    pub fn is_terminal(self) -> bool {
        Self::TERMINAL.contains(&self)
    }

    /// The name in the API and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Scheduled => "scheduled",
            Self::Running => "running",
            Self::Failed => "failed",
            Self::Retrying => "retrying",
            Self::Succeeded => "succeeded",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
            Self::Expired => "expired",
        }
    }
}

impl std::fmt::Display for JobState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is no state's name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "`{0}` is no job state; allowed: blocked, scheduled, running, failed, retrying, succeeded, dead, cancelled, skipped, expired"
)]
pub struct UnknownState(pub String);

impl std::str::FromStr for JobState {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| UnknownState(text.to_owned()))
    }
}
