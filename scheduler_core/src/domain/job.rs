//! A job as the API shows it.

use super::{BackfillId, Backoff, JobId, JobState, RunIf, SessionId, Target, TemplateId};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// One planned run, live or finished.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Job {
    /// The job's id; sorts by creation.
    #[schema(value_type = uuid::Uuid)]
    pub id: JobId,
    /// Where it is in its life.
    pub state: JobState,
    /// Why it ended so, for `dead`, `cancelled`, `skipped` and `expired`.
    pub reason: Option<String>,
    /// Number of the attempt that runs or ran last, from 1; 0 before the first.
    pub attempt: i32,
    /// Attempts in all, lost ones not counted.
    pub max_attempts: i32,
    /// Attempts that ended because their executor vanished.
    pub crashes: i32,
    /// When the next attempt may start (for a finished job: when the last one might).
    pub run_at: DateTime<Utc>,
    /// The time that was asked for; retries do not move it.
    pub scheduled_for: DateTime<Utc>,
    /// When the job was created.
    pub created_at: DateTime<Utc>,
    /// When the running or last attempt started.
    pub started_at: Option<DateTime<Utc>>,
    /// When the job ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// The latest moment for a start.
    pub start_deadline_at: Option<DateTime<Utc>>,
    /// When somebody asked to cancel the running job.
    pub cancel_requested_at: Option<DateTime<Utc>>,
    /// The merchant's queue.
    pub queue: String,
    /// 0 goes first, 9 last.
    pub priority: i16,
    /// What it does.
    pub target: Target,
    /// What it does it with.
    #[schema(value_type = Option<serde_json::Value>)]
    pub payload: Option<Box<RawValue>>,
    /// Lists leave out payloads above 16 KiB and say so here; the job by its id shows it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub payload_omitted: bool,
    /// Waits between attempts.
    pub backoff: Backoff,
    /// Seconds that one attempt may take.
    pub timeout_seconds: f64,
    /// The template it comes from.
    #[schema(value_type = Option<uuid::Uuid>)]
    pub template_id: Option<TemplateId>,
    /// The backfill that made it.
    #[schema(value_type = Option<uuid::Uuid>)]
    pub backfill_id: Option<BackfillId>,
    /// The dead letter (or other ended job) that this one repeats.
    #[schema(value_type = Option<uuid::Uuid>)]
    pub redriven_from: Option<JobId>,
    /// How its parents must end, when it waits or waited for any.
    pub run_if: Option<RunIf>,
    /// At most one live job per queue and key.
    pub dedupe_key: Option<String>,
    /// Jobs of the queue with the same key run at most so many at once as the queue says.
    pub concurrency_key: Option<String>,
    /// The producer's own id.
    pub external_id: Option<String>,
    /// The producer's own names and values.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<serde_json::Value>,
    /// W3C trace context that is passed on to the target.
    pub traceparent: Option<String>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// The executor session that runs it, or ran it last.
    #[schema(value_type = Option<uuid::Uuid>)]
    pub session_id: Option<SessionId>,
}
