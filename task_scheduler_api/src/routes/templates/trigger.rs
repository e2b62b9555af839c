//! `POST /v1/templates/{id}/trigger`

use super::shared::not_found;
use crate::extract::{Caller, OptionalBody, PathId, TemplatesWrite, Traceparent};
use crate::idempotency::{self, Idempotency};
use crate::problem::Problem;
use crate::routes::jobs;
use crate::state::{App, AppState};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use metrics::counter;
use scheduler_core::domain::{Job, MerchantId, OverlapPolicy, TemplateId};
use scheduler_core::store::templates::{Keyed, Trigger, Triggered};
use scheduler_core::telemetry::metrics as names;
use serde::Deserialize;
use utoipa::ToSchema;

/// How to run it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TriggerRequest {
    /// What becomes of the job while others of the template are live (default `allow_all`); `max_concurrent` is the template's.
    #[serde(default = "at_once")]
    overlap: OverlapPolicy,
}

fn at_once() -> OverlapPolicy {
    OverlapPolicy::AllowAll
}

/// Run a template now
///
/// Makes a job of the template that is due at once, beside its schedule: also when it is paused, and also while another job
/// of it runs unless `overlap` says otherwise. The job is no occurrence of the schedule.
#[utoipa::path(
    post, path = "/v1/templates/{id}/trigger", tag = "templates",
    params(
        ("id" = uuid::Uuid, Path, description = "The template's id."),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 256 bytes of your choice; kept for 72 hours."),
        ("traceparent" = Option<String>, Header, description = "W3C trace context, passed on to the target."),
    ),
    request_body(content = TriggerRequest, description = "May be left out.", example = json!({"overlap": "buffer_all"})),
    responses((status = 201, description = "The job.", body = Job, headers(("Location" = String, description = "Its path.")))),
)]
pub async fn trigger_template(
    app: State<AppState>,
    caller: Caller<TemplatesWrite>,
    id: PathId<TemplateId>,
    trace: Traceparent,
    idempotency: Idempotency,
    body: OptionalBody<TriggerRequest>,
) -> Result<Response, Problem> {
    let now = jobs::now(&app);
    let key = idempotency.key_for(&app, &body.bytes, now);
    let key = key.as_ref().map(|key| Keyed { key, status: 201, body: &shown });
    let trigger = Trigger {
        merchant: caller.merchant,
        template: id.0,
        overlap: body.value.overlap,
        now,
        traceparent: trace.0,
        key,
    };
    match app.store.trigger_template(&trigger).await? {
        Triggered::Created { job, lane } => {
            announce(&app, caller.merchant, &job, &lane);
            Ok((StatusCode::CREATED, jobs::location(job.id), Json(job)).into_response())
        }
        Triggered::KeyTaken(holder) => idempotency::answer(holder),
        Triggered::NotFound => Err(not_found(id.0)),
    }
}

fn announce(app: &App, merchant: MerchantId, job: &Job, lane: &str) {
    counter!(names::JOBS_CREATED_TOTAL, "source" => "template").increment(1);
    let hint = app.hints.due_hint(job.created_at, (merchant, job.id), job.run_at, job.priority, lane);
    app.hints.due(hint.into_iter().collect());
}

fn shown(job: &Job) -> String {
    serde_json::to_string(job).expect("a job has string keys and finite numbers only")
}
