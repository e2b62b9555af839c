//! `POST /v1/templates`

use super::body::Definition;
use super::dry_run::{DryRun, DryRunParameters, foresee};
use super::etag::etag;
use super::shared::{name_taken, ready, unknown_calendars};
use crate::extract::{Caller, Query, TemplatesWrite};
use crate::idempotency::{self, Idempotency};
use crate::problem::Problem;
use crate::routes::jobs;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use scheduler_core::domain::{Template, TemplateSpec};
use scheduler_core::store::templates::{Keyed, NewTemplate, TemplateCreated};

/// Create a template
///
/// It fires from now on: its first occurrence is the first one after its creation. What happens at times at which an
/// earlier job of the template is still live is up to `overlap`; they are skipped by default. With an `Idempotency-Key` header a repeated
/// request gets the first answer again (`Idempotency-Replayed: true`).
#[utoipa::path(
    post, path = "/v1/templates", tag = "templates",
    request_body(content = TemplateSpec, example = json!({
        "name": "daily-report",
        "schedule": {"kind": "cron", "expression": "0 9 * * 1-5", "timezone": "America/New_York"},
        "job": {"target": {"kind": "http", "url": "https://example.com/hook"}, "payload": {"report": "sales"}}
    })),
    params(DryRunParameters, ("Idempotency-Key" = Option<String>, Header, description = "1 to 256 bytes of your choice; kept for 72 hours.")),
    responses(
        (status = 201, description = "The template; `ETag` is its version.", body = Template,
         headers(("Location" = String, description = "Its path."), ("ETag" = String, description = "Its version."))),
        (status = 200, description = "With `dry_run`: what would be created.", body = DryRun),
        (status = 409, description = "`name_taken`: another template has the name."),
    ),
)]
pub async fn create_template(
    app: State<AppState>,
    caller: Caller<TemplatesWrite>,
    idempotency: Idempotency,
    Query(parameters): Query<DryRunParameters>,
    definition: Definition,
) -> Result<Response, Problem> {
    if parameters.is_on() {
        return foresee(&app, caller.merchant, None, definition).await;
    }
    ready(&app, caller.merchant, &definition).await?;
    let Definition { spec, schedule, bytes } = definition;
    let now = jobs::now(&app);
    let key = idempotency.key_for(&app, &bytes, now);
    let key = key.as_ref().map(|key| Keyed { key, status: 201, body: &shown });
    let new = NewTemplate { merchant: caller.merchant, spec: &spec, schedule: &schedule, now, key };
    match app.store.create_template(&new).await? {
        TemplateCreated::Created(template) => {
            app.hints.template();
            Ok(created(*template))
        }
        TemplateCreated::KeyTaken(holder) => idempotency::answer(holder),
        TemplateCreated::NameTaken => Err(name_taken()),
        TemplateCreated::UnknownCalendars(names) => Err(unknown_calendars(&names)),
    }
}

fn created(template: Template) -> Response {
    let path = format!("/v1/templates/{}", template.id);
    let location = HeaderValue::from_str(&path).expect("a UUID is a valid header value");
    (StatusCode::CREATED, [(header::LOCATION, location), etag(template.version)], Json(template)).into_response()
}

fn shown(template: &Template) -> String {
    serde_json::to_string(template).expect("a template has string keys and finite numbers only")
}
