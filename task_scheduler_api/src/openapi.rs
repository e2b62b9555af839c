//! `/openapi.json`, generated from the handlers, and `/docs`, which reads it without any network.

use crate::problem::{MEDIA_TYPE, ProblemBody};
use axum::Router;
use serde_json::{Map, Value, json};
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Task scheduler", description = "Say what must run and when; see what happened and why."),
    components(schemas(ProblemBody)),
    tags(
        (name = "jobs", description = "Planned runs: created now, for a time, or after other jobs."),
        (name = "dead letters", description = "Jobs whose retries are used up or that may not be retried."),
        (name = "incidents", description = "What somebody was told about, and who looks after it."),
        (name = "queues", description = "A merchant's named lanes."),
        (name = "templates", description = "Recurring definitions."),
        (name = "backfills", description = "Stretches of templates' pasts that are run after all, or again."),
        (name = "calendars", description = "Named days and windows that schedules refer to."),
    )
)]
struct Base;

/// The document before any route is in it.
pub fn base() -> OpenApi {
    Base::openapi()
}

/// What every operation has in common is added here once, so that handlers document only what is their own: the API key,
/// the shared refusals, and the problem body of every refusal.
pub fn finish(document: OpenApi) -> Value {
    let mut document = serde_json::to_value(document).unwrap_or_default();
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    document["info"]["license"] = json!({ "name": "MIT OR Apache-2.0" });
    document["components"]["securitySchemes"] = json!({
        "api_key": { "type": "apiKey", "in": "header", "name": "x-api-key", "description": "sk_<id>_<secret>" }
    });
    document["security"] = json!([{ "api_key": [] }]);
    for (path, item) in entries(&mut document["paths"]) {
        let has_id = path.contains('{');
        for (method, operation) in entries(item) {
            if !["parameters", "summary", "description"].contains(&method.as_str()) {
                complete(operation, has_id);
            }
        }
    }
    document
}

/// Adds the shared responses of one operation and gives every refusal its body.
fn complete(operation: &mut Value, has_id: bool) {
    let has_body = operation.get("requestBody").is_some();
    let shared = [
        ("400", has_body, "The body is not JSON."),
        ("401", true, "The API key is missing, unknown, expired or revoked."),
        ("403", true, "The API key lacks the scope."),
        ("404", has_id, "There is nothing with this id."),
        ("413", has_body, "The body is too large."),
        ("415", has_body, "The body is not declared as JSON."),
        ("422", true, "A field or parameter is not valid; `errors` points at it."),
        ("503", true, "Busy, or the database does not answer; try again after `Retry-After` seconds."),
    ];
    let responses = &mut operation["responses"];
    for (status, _, description) in shared.iter().filter(|(_, applies, _)| *applies) {
        if responses.get(status).is_none() {
            responses[*status] = json!({ "description": description });
        }
    }
    for (status, response) in entries(responses) {
        if status.starts_with(['4', '5']) && response.get("content").is_none() {
            response["content"] = json!({ MEDIA_TYPE: { "schema": { "$ref": "#/components/schemas/Problem" } } });
        }
    }
}

/// The fields of a JSON object; none of anything else.
fn entries(value: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    value.as_object_mut().into_iter().flat_map(Map::iter_mut)
}

/// The routes of the document and of the page that shows it. The page's parts are built into the program.
pub fn pages(document: Value) -> Router {
    let config =
        Config::from("/openapi.json").validator_url("none").try_it_out_enabled(true).persist_authorization(false);
    SwaggerUi::new("/docs").external_url_unchecked("/openapi.json", document).config(config).into()
}
