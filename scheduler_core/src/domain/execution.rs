//! Attempts and what comes out of them.

use super::{SessionId, Token};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// How an attempt ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The target said so.
    Succeeded,
    /// The target or the way to it failed.
    Failed,
    /// The attempt took longer than `timeout_seconds`.
    TimedOut,
    /// The executor vanished.
    Lost,
    /// Called off while it ran.
    Cancelled,
}

impl Outcome {
    /// The name in the API and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Lost => "lost",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads the database's name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Succeeded, Self::Failed, Self::TimedOut, Self::Lost, Self::Cancelled]
            .into_iter()
            .find(|o| o.as_str() == text)
    }
}

/// What a target reports of one attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExecutionResult {
    /// How it ended.
    pub outcome: Outcome,
    /// Whether trying again can help. Meaningless for a success.
    pub retryable: bool,
    /// The least wait that the target asked for before the next attempt.
    pub retry_after: Option<Duration>,
    /// What went wrong, for people.
    pub error: Option<String>,
    /// Status code, where the target has one.
    pub response_status: Option<i32>,
    /// The first bytes of the answer.
    pub response_body: Vec<u8>,
    /// Whether the answer was longer than what was kept.
    pub response_truncated: bool,
}

impl ExecutionResult {
    /// A plain success.
    pub fn success() -> Self {
        Self {
            outcome: Outcome::Succeeded,
            retryable: false,
            retry_after: None,
            error: None,
            response_status: None,
            response_body: Vec::new(),
            response_truncated: false,
        }
    }

    /// A failure with a sentence for people.
    pub fn failure(error: impl Into<String>, retryable: bool) -> Self {
        Self { outcome: Outcome::Failed, retryable, error: Some(error.into()), ..Self::success() }
    }
}

/// One attempt at a job, as the API shows it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Execution {
    /// The execution's id, sent to targets as `X-Execution-Id`.
    #[schema(value_type = uuid::Uuid)]
    pub id: Token,
    /// Number of the attempt, from 1.
    pub attempt: i32,
    /// The executor session that ran it.
    #[schema(value_type = uuid::Uuid)]
    pub session_id: SessionId,
    /// When the target was called (for a running one: when the claim was granted).
    pub started_at: DateTime<Utc>,
    /// When the result was there; null while it runs.
    pub finished_at: Option<DateTime<Utc>>,
    /// How it ended; null while it runs.
    pub outcome: Option<Outcome>,
    /// Time from start to end, in milliseconds.
    pub duration_ms: Option<i64>,
    /// What went wrong.
    pub error: Option<String>,
    /// Status code of the answer.
    pub response_status: Option<i32>,
    /// The first bytes of the answer, as text; bytes that are not UTF-8 are replaced.
    pub response_body: Option<String>,
    /// Whether the answer was longer than what was kept.
    pub response_truncated: bool,
}
