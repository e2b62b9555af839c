//! The definition of a template in a request, read and judged as a whole.

use crate::extract::{JsonBody, decode};
use crate::problem::Problem;
use crate::state::AppState;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use scheduler_core::domain::{FieldError, TemplateSpec};
use scheduler_core::schedule::{Schedule, ScheduleError};
use serde_json::Value;
use serde_json::value::RawValue;

/// What people look for in the template and what stands in its schedule.
const FIELDS_OF_SCHEDULES: [&str; 5] = ["calendar", "calendars", "exclude", "timezone", "cron"];

/// A definition that may be stored.
pub struct Definition {
    /// The definition.
    pub spec: TemplateSpec,
    /// Its schedule, parsed.
    pub schedule: Schedule,
    /// The body as sent; idempotency compares it.
    pub bytes: Bytes,
}

impl FromRequest<AppState> for Definition {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &AppState) -> Result<Self, Problem> {
        let body = JsonBody::<TemplateSpec>::from_request(request, app).await.map_err(say_where)?;
        judged(body.value, body.bytes, app)
    }
}

/// The definition that a merged document stands for.
pub fn from_document(document: &RawValue, app: &AppState) -> Result<Definition, Problem> {
    let bytes = Bytes::copy_from_slice(document.get().as_bytes());
    let spec = decode::json(&bytes).map_err(say_where)?;
    judged(spec, bytes, app)
}

fn judged(spec: TemplateSpec, bytes: Bytes, app: &AppState) -> Result<Definition, Problem> {
    let mut errors = spec.validate();
    let limit = app.settings.api.payload_limit_bytes;
    if spec.job.payload.as_ref().is_some_and(|payload| payload.get().len() > limit) {
        errors.push(FieldError::new(
            "/job/payload",
            format!("is larger than {limit} bytes; store the data elsewhere and send a link"),
        ));
    }
    match parse_schedule(&spec.schedule) {
        Ok(schedule) if errors.is_empty() => Ok(Definition { spec, schedule, bytes }),
        Ok(_) => Err(Problem::invalid(errors)),
        Err(wrong) => Err(Problem::invalid([errors, wrong].concat())),
    }
}

/// Reads a schedule that stands at `/schedule` of a request.
pub fn parse_schedule(value: &Value) -> Result<Schedule, Vec<FieldError>> {
    let point = |error: ScheduleError| FieldError::new(error.pointer, error.detail).under("/schedule");
    Schedule::parse(value).map_err(|errors| errors.into_iter().map(point).collect())
}

/// Says where a field belongs, where decoding only knows that it does not know it.
fn say_where(problem: Problem) -> Problem {
    if problem.errors.is_empty() {
        return problem;
    }
    Problem::invalid(problem.errors.into_iter().map(say_where_one).collect())
}

fn say_where_one(error: FieldError) -> FieldError {
    match error.pointer.strip_prefix('/') {
        Some(field) if FIELDS_OF_SCHEDULES.contains(&field) => {
            FieldError::new(error.pointer.clone(), "belongs into `schedule`; see POST /v1/templates/preview to try one")
        }
        _ => error,
    }
}
