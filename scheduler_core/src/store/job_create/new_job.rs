//! A job on its way into the database.

use crate::domain::job_spec::{DEFAULT_MAX_ATTEMPTS, DEFAULT_TIMEOUT_SECONDS};
use crate::domain::{Job, JobId, JobSpec, JobState, MerchantId, RunIf};
use chrono::{DateTime, SubsecRound as _, Utc};

/// A validated job with everything decided but its parents' verdict.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// Whose job.
    pub merchant: MerchantId,
    /// Its id, made beforehand: after a lost answer it tells whether the job exists.
    pub id: JobId,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it is to run.
    pub run_at: DateTime<Utc>,
    /// The lane of its queue.
    pub lane: String,
    /// W3C trace context of the request.
    pub traceparent: Option<String>,
    /// What was asked for.
    pub spec: JobSpec,
}

/// Where a new job stands after its parents were looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Placed {
    /// Waits for its time.
    Scheduled,
    /// Waits for parents that are live.
    Blocked,
    /// Over before it began: a parent did not succeed.
    Skipped,
}

impl NewJob {
    /// A job of `merchant` from a validated spec, asked for at `now`.
    pub fn from_spec(
        mut spec: JobSpec,
        merchant: MerchantId,
        lane: String,
        now: DateTime<Utc>,
        traceparent: Option<String>,
    ) -> Self {
        // The database keeps microseconds; the answer must not show more than a later read.
        let now = now.trunc_subsecs(6);
        if !spec.depends_on.is_empty() {
            spec.run_if.get_or_insert(RunIf::default());
        }
        let run_at = spec.resolve_run_at(now).trunc_subsecs(6);
        Self { merchant, id: JobId::new_at(now), created_at: now, run_at, lane, traceparent, spec }
    }

    /// The job as the API shows it right after its creation.
    pub fn to_job(&self, placed: Placed) -> Job {
        let spec = &self.spec;
        let skipped = placed == Placed::Skipped;
        Job {
            id: self.id,
            state: match placed {
                Placed::Scheduled => JobState::Scheduled,
                Placed::Blocked => JobState::Blocked,
                Placed::Skipped => JobState::Skipped,
            },
            reason: skipped.then(|| "dependency_failed".to_owned()),
            attempt: 0,
            max_attempts: spec.max_attempts.unwrap_or(DEFAULT_MAX_ATTEMPTS),
            crashes: 0,
            run_at: self.run_at,
            scheduled_for: self.run_at,
            created_at: self.created_at,
            started_at: None,
            finished_at: skipped.then_some(self.created_at),
            start_deadline_at: spec.start_deadline_at(self.run_at),
            cancel_requested_at: None,
            queue: spec.queue.clone(),
            priority: spec.priority,
            target: spec.target.clone(),
            payload: spec.payload.clone(),
            payload_omitted: false,
            backoff: spec.backoff.unwrap_or_default(),
            timeout_seconds: spec.timeout_seconds.unwrap_or(DEFAULT_TIMEOUT_SECONDS),
            template_id: None,
            backfill_id: None,
            redriven_from: None,
            run_if: spec.run_if,
            dedupe_key: spec.dedupe_key.clone(),
            concurrency_key: spec.concurrency_key.clone(),
            external_id: spec.external_id.clone(),
            metadata: spec.metadata.clone().map(serde_json::Value::Object),
            traceparent: self.traceparent.clone(),
            last_error: None,
            session_id: None,
        }
    }
}
