//! `GET /v1/templates/{id}/explain`

mod facts;
mod sentence;

use super::shared::not_found;
use crate::extract::{Caller, PathId, Query, TemplatesRead, time};
use crate::problem::Problem;
use crate::routes::jobs;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, SubsecRound as _, Utc};
use facts::Facts;
use scheduler_core::domain::{Execution, Job, JobState, Outcome, TemplateId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// The most attempts that are listed; a job has no more.
const MOST_ATTEMPTS: usize = 1_000;

/// What is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// The time in question: RFC 3339.
    #[serde(default, deserialize_with = "time::optional")]
    #[param(value_type = DateTime<Utc>, required = true)]
    at: Option<DateTime<Utc>>,
}

/// Why a template did or did not run at a time.
#[derive(Debug, Serialize, ToSchema)]
pub struct Explanation {
    /// The time that was asked for.
    at: DateTime<Utc>,
    /// The nominal time that the answer is about; null when there is none at that time.
    nominal_at: Option<DateTime<Utc>>,
    /// The outcome in the ledger; or `planned`, `unrecorded` (the template's schedule names the time, and the ledger has
    /// nothing about it), `suppressed` (a calendar or a clock change leaves it out), `paused`, `out_of_bounds`,
    /// `not_nominal`, `not_created_yet`.
    #[schema(example = "skipped_calendar")]
    answer: &'static str,
    /// The answer in words.
    #[schema(
        example = "It did not run: an earlier job of the template was still live, and the overlap policy is `skip`."
    )]
    sentence: String,
    /// The template's version that was in force, or decided.
    version: Option<i32>,
    /// The nominal times around it, by the version in force.
    nearest: Nearest,
    /// Seconds from the nominal time to the start of the job, or to the record of what has none.
    lag_seconds: Option<f64>,
    /// The job, while it is kept.
    job: Option<ExplainedJob>,
    /// The attempts at it, first to last.
    attempts: Vec<ExplainedAttempt>,
}

/// A job as far as an explanation goes; `GET /v1/jobs/{id}` shows all of it to who may read jobs.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExplainedJob {
    /// Its id.
    id: Uuid,
    /// Where it is in its life.
    state: JobState,
    /// Why it ended so.
    reason: Option<String>,
    /// The attempt that runs or ran last.
    attempt: i32,
    /// Attempts in all.
    max_attempts: i32,
    /// When the next attempt may start, or the last one might.
    run_at: DateTime<Utc>,
    /// When the last attempt started.
    started_at: Option<DateTime<Utc>>,
    /// When it ended.
    finished_at: Option<DateTime<Utc>>,
    /// What went wrong last.
    last_error: Option<String>,
}

/// One attempt at the job.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExplainedAttempt {
    /// Its number.
    attempt: i32,
    /// When it started.
    started_at: DateTime<Utc>,
    /// When it ended; null while it runs.
    finished_at: Option<DateTime<Utc>>,
    /// How it ended; null while it runs.
    outcome: Option<Outcome>,
    /// Status code of the answer.
    response_status: Option<i32>,
    /// What went wrong.
    error: Option<String>,
}

impl From<Job> for ExplainedJob {
    fn from(job: Job) -> Self {
        Self {
            id: job.id.0,
            state: job.state,
            reason: job.reason,
            attempt: job.attempt,
            max_attempts: job.max_attempts,
            run_at: job.run_at,
            started_at: job.started_at,
            finished_at: job.finished_at,
            last_error: job.last_error,
        }
    }
}

impl From<Execution> for ExplainedAttempt {
    fn from(execution: Execution) -> Self {
        Self {
            attempt: execution.attempt,
            started_at: execution.started_at,
            finished_at: execution.finished_at,
            outcome: execution.outcome,
            response_status: execution.response_status,
            error: execution.error,
        }
    }
}

/// Nominal times around a time, as far as they run.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
pub struct Nearest {
    /// The last one before.
    before: Option<DateTime<Utc>>,
    /// The first one after.
    after: Option<DateTime<Utc>>,
}

/// Why a template did or did not run at a time
///
/// A sentence for people, and what it rests on.
#[utoipa::path(
    get, path = "/v1/templates/{id}/explain", tag = "templates",
    params(("id" = uuid::Uuid, Path, description = "The template's id"), Parameters),
    responses((status = 200, description = "The answer.", body = Explanation))
)]
pub async fn explain_template(
    caller: Caller<TemplatesRead>,
    State(app): State<AppState>,
    PathId(id): PathId<TemplateId>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Explanation>, Problem> {
    let at = parameters.at.ok_or_else(|| {
        Problem::invalid_field("/at", "is missing; give the time in question, such as ?at=2027-01-31T09:00:00Z")
    })?;
    let template = app.store.get_template(caller.merchant, id).await?.ok_or_else(|| not_found(id))?;
    let facts = Facts::gather(&app, caller.merchant, template, at.trunc_subsecs(6), jobs::now(&app)).await?;
    let (answer, sentence) = sentence::of(&facts);
    let attempts = match &facts.job {
        Some(job) => app.store.executions(caller.merchant, job.id, 0, MOST_ATTEMPTS).await?,
        None => Vec::new(),
    };
    Ok(Json(Explanation {
        at,
        nominal_at: facts.nominal_at(),
        answer,
        sentence,
        version: facts.version(),
        nearest: facts.nearest,
        lag_seconds: facts.entry.as_ref().and_then(|entry| entry.lag).map(|lag| lag.as_seconds_f64()),
        job: facts.job.map(ExplainedJob::from),
        attempts: attempts.into_iter().map(ExplainedAttempt::from).collect(),
    }))
}
