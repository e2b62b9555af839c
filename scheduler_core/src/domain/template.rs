//! Recurring definitions.

use super::policies::{AfterCompletion, CatchupPolicy, OverlapPolicy, TemplatePolicies};
use super::{FieldError, JobSpec, TemplateId, job_spec::validate_name};
use chrono::{DateTime, SubsecRound as _, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

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
    /// How many of its jobs may run at a time (default 1); beyond that the overlap policy decides.
    #[serde(default)]
    pub max_concurrent: Option<i64>,
    /// Which missed occurrences are made up for (default `latest`).
    #[serde(default)]
    pub catchup_policy: CatchupPolicy,
    /// How late an occurrence may be made up for, in seconds (default 3600).
    #[serde(default = "default_window")]
    pub catchup_window_seconds: i64,
    /// How many are made up for after one downtime by `all` (default 100).
    #[serde(default = "default_catchup_runs")]
    pub catchup_max_runs: i64,
    /// Starts are spread over this many seconds after the nominal time, each occurrence by a fixed share and never past
    /// the next nominal time (default 0).
    #[serde(default)]
    pub jitter_seconds: i64,
    /// No occurrence before this time.
    #[serde(default)]
    pub start_at: Option<DateTime<Utc>>,
    /// No occurrence after this time; one at this very time still is.
    #[serde(default)]
    pub end_at: Option<DateTime<Utc>>,
    /// The schedule ends after this many runs.
    #[serde(default)]
    pub max_runs: Option<i64>,
    /// What becomes of the template when its schedule and its last job have ended (default `none`).
    #[serde(default)]
    pub action_after_completion: AfterCompletion,
    /// The template pauses itself when this many of its jobs in a row became dead letters (default: never).
    #[serde(default)]
    pub pause_after_failures: Option<i64>,
}

fn yes() -> bool {
    true
}

fn default_window() -> i64 {
    TemplatePolicies::default().catchup_window_seconds
}

fn default_catchup_runs() -> i64 {
    TemplatePolicies::default().catchup_max_runs
}

impl TemplateSpec {
    /// Everything wrong with the template but its schedule, which `schedule::Schedule::parse` judges.
    pub fn validate(&self) -> Vec<FieldError> {
        let mut errors: Vec<_> =
            validate_name(&self.name).map(|why| FieldError::new("/name", why)).into_iter().collect();
        errors.extend(self.job.validate_in_template().into_iter().map(|e| e.under("/job")));
        errors.extend(self.policies().validate(self.overlap));
        errors.extend(self.job.validate_variables().into_iter().map(|e| e.under("/job")));
        errors
    }

    /// Its policies but `overlap`, as they are stored.
    pub fn policies(&self) -> TemplatePolicies {
        TemplatePolicies {
            max_concurrent: self.max_concurrent,
            catchup_policy: self.catchup_policy,
            catchup_window_seconds: self.catchup_window_seconds,
            catchup_max_runs: self.catchup_max_runs,
            jitter_seconds: self.jitter_seconds,
            // The database keeps microseconds, and so do nominal times.
            start_at: self.start_at.map(|at| at.trunc_subsecs(6)),
            end_at: self.end_at.map(|at| at.trunc_subsecs(6)),
            max_runs: self.max_runs,
            action_after_completion: self.action_after_completion,
            pause_after_failures: self.pause_after_failures,
        }
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
    /// Its other policies, as they are stored, with their defaults.
    #[serde(flatten)]
    #[schema(value_type = TemplatePolicies)]
    pub policies: serde_json::Value,
    /// Occurrences that became jobs.
    pub runs: i64,
    /// Why it paused itself, if it did.
    pub pause_reason: Option<String>,
    /// The next nominal time that has no job yet; null when paused or ended.
    pub next_at: Option<DateTime<Utc>>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}
