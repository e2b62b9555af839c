//! Recurring definitions.

use super::{FieldError, JobSpec, TemplateId, job_spec::validate_name};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// What happens when an occurrence falls due while an earlier one is still live.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OverlapPolicy {
    /// The later one is skipped, with a record that says so.
    #[default]
    Skip,
    /// Both run.
    AllowAll,
}

/// Overlap policies that are specified but not built yet. Named so that the refusal can say so.
pub const LATER_OVERLAP_POLICIES: [&str; 4] = ["buffer_one", "buffer_all", "cancel_other", "terminate_other"];

impl OverlapPolicy {
    /// The name in the API and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::AllowAll => "allow_all",
        }
    }

    /// Reads the database's name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Skip, Self::AllowAll].into_iter().find(|policy| policy.as_str() == text)
    }
}

/// The body of `POST /v1/templates` and `PUT /v1/templates/{id}`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateSpec {
    /// Unique among the merchant's templates.
    pub name: String,
    /// When: see the schedules page.
    #[schema(value_type = crate::schedule::ScheduleSpec)]
    pub schedule: serde_json::Value,
    /// What: a job without a time.
    pub job: JobSpec,
    /// Whether it fires (default true).
    #[serde(default = "yes")]
    pub active: bool,
    /// What happens when an occurrence falls due while an earlier one is still live (default `skip`).
    #[serde(default)]
    pub overlap: OverlapPolicy,
}

fn yes() -> bool {
    true
}

impl TemplateSpec {
    /// Everything wrong with the template but its schedule, which `schedule::Schedule::parse` judges.
    pub fn validate(&self) -> Vec<FieldError> {
        let mut errors: Vec<_> =
            validate_name(&self.name).map(|why| FieldError::new("/name", why)).into_iter().collect();
        errors.extend(self.job.validate_in_template().into_iter().map(|e| e.under("/job")));
        errors
    }
}

/// A stored template, as the API shows it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Template {
    /// The template's id.
    #[schema(value_type = uuid::Uuid)]
    pub id: TemplateId,
    /// Unique among the merchant's templates.
    pub name: String,
    /// Grows with each change; the `ETag`.
    pub version: i32,
    /// Whether it fires.
    pub active: bool,
    /// When.
    #[schema(value_type = crate::schedule::ScheduleSpec)]
    pub schedule: serde_json::Value,
    /// What, as it is stored: shown even when this version of the program cannot read all of it.
    #[schema(value_type = JobSpec)]
    pub job: Box<RawValue>,
    /// Overlap policy.
    #[schema(value_type = OverlapPolicy)]
    pub overlap: String,
    /// The next nominal time that has no job yet; null when paused or ended.
    pub next_at: Option<DateTime<Utc>>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}
