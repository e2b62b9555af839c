//! What the jobs of one template have in common, in the form of their columns.

use crate::domain::job_spec::DEFAULT_MAX_ATTEMPTS;
use crate::domain::variables::differs_by_occurrence;
use crate::domain::{JobSpec, OverlapPolicy, TemplatePolicies};
use chrono::DateTime;

/// The columns of `jobs_live` that every job of a template shares; JSON is written once, not per occurrence.
#[derive(Clone, Debug)]
pub(crate) struct JobColumns {
    pub queue: String,
    pub priority: i16,
    pub max_attempts: i32,
    pub timeout_ms: i32,
    /// Microseconds from the planned time to the start deadline.
    pub deadline_us: Option<i64>,
    pub target: String,
    pub payload: Option<String>,
    pub backoff: Option<String>,
    pub metadata: Option<String>,
    pub external_id: Option<String>,
    pub concurrency_key: Option<String>,
}

impl JobColumns {
    /// The columns of `spec`.
    pub fn of(spec: &JobSpec) -> Self {
        Self {
            queue: spec.queue.clone(),
            priority: spec.priority,
            max_attempts: spec.max_attempts.unwrap_or(DEFAULT_MAX_ATTEMPTS),
            timeout_ms: spec.timeout_ms(),
            deadline_us: spec.start_deadline_at(DateTime::UNIX_EPOCH).map(|at| at.timestamp_micros()),
            target: json(&spec.target),
            payload: spec.payload.as_ref().map(|raw| raw.get().to_owned()),
            backoff: spec.backoff.as_ref().map(json),
            metadata: spec.metadata.as_ref().map(json),
            external_id: spec.external_id.clone(),
            concurrency_key: spec.concurrency_key.clone(),
        }
    }

    /// Whether the jobs differ in their texts, because these have variables.
    pub fn has_variables(&self) -> bool {
        differs_by_occurrence(&self.target) || self.payload.as_deref().is_some_and(differs_by_occurrence)
    }
}

/// What becomes of a job that falls due beside others of its template, in the form of its columns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OverlapColumns {
    /// It is skipped when an earlier one is live: all that the first version of the program knew, and what is written
    /// where it says everything.
    pub skip: bool,
    /// The policy; none: nothing, or `skip` where `skip` is set.
    pub policy: Option<&'static str>,
    /// At most so many run at once, by a cap that is counted. Whoever may wait has one, so that the end of a job tells
    /// those that wait, and a `max_concurrent` that somebody has written down is kept to whatever the order.
    pub limit: Option<i32>,
}

impl OverlapColumns {
    /// Nothing becomes of it.
    pub const NONE: Self = Self { skip: false, policy: None, limit: None };

    /// The columns of a policy, for a template with such others.
    pub fn of(overlap: OverlapPolicy, policies: &TemplatePolicies) -> Self {
        let limit = policies.max_concurrent.and_then(|most| i32::try_from(most).ok());
        match (overlap, limit) {
            (OverlapPolicy::AllowAll, _) => Self::NONE,
            (OverlapPolicy::Skip, None) => Self { skip: true, policy: None, limit: None },
            (OverlapPolicy::Skip, Some(limit)) => Self { skip: limit == 1, policy: Some("skip"), limit: Some(limit) },
            (other, limit) => Self { skip: false, policy: Some(other.as_str()), limit: Some(limit.unwrap_or(1)) },
        }
    }
}

/// A part of a job spec as JSON text.
pub(crate) fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("job specs have string keys and finite numbers only")
}
