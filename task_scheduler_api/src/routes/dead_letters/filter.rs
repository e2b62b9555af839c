//! Which dead letters a bulk request means.

use crate::extract::time;
use crate::problem::Problem;
use chrono::{DateTime, Utc};
use scheduler_core::domain::TemplateId;
use scheduler_core::store::job_read::JobFilter;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// Reasons for which jobs die.
pub const REASONS: [&str; 3] = ["exhausted", "not_retryable", "crashed"];

/// Which dead letters. What is absent lets everything pass.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeadLetterFilter {
    /// Of this queue.
    pub queue: Option<String>,
    /// Of this template.
    pub template_id: Option<Uuid>,
    /// That died before this time.
    #[serde(default, deserialize_with = "time::optional")]
    pub before: Option<DateTime<Utc>>,
    /// That died at this time or later.
    #[serde(default, deserialize_with = "time::optional")]
    pub after: Option<DateTime<Utc>>,
    /// `exhausted`, `not_retryable` or `crashed`.
    pub reason: Option<String>,
    /// At most so many, the oldest first: 1 to 1000 (default 100).
    pub limit: Option<u32>,
}

impl DeadLetterFilter {
    /// The filter for the store.
    pub fn conditions(&self) -> Result<JobFilter, Problem> {
        check_reason(self.reason.as_deref())?;
        Ok(JobFilter {
            queue: self.queue.clone(),
            template: self.template_id.map(TemplateId),
            reason: self.reason.clone(),
            finished_after: self.after,
            finished_before: self.before,
            ..JobFilter::default()
        })
    }

    /// The checked limit.
    pub fn rows(&self) -> Result<usize, Problem> {
        match self.limit.unwrap_or(100) {
            limit @ 1..=1000 => Ok(limit as usize),
            _ => Err(Problem::invalid_field("/limit", "must be from 1 to 1000; repeat the request for more")),
        }
    }

    /// Whether it lets every dead letter pass.
    pub fn is_everything(&self) -> bool {
        self.queue.is_none()
            && self.template_id.is_none()
            && self.before.is_none()
            && self.after.is_none()
            && self.reason.is_none()
    }
}

/// 422 for a reason that no job dies of.
pub fn check_reason(reason: Option<&str>) -> Result<(), Problem> {
    match reason {
        Some(reason) if !REASONS.contains(&reason) => {
            Err(Problem::invalid_field("/reason", format!("is none of {}", REASONS.join(", "))))
        }
        _ => Ok(()),
    }
}
