//! `PATCH /v1/templates/{id}`

use super::body::{Definition, from_document};
use super::etag::{IfMatch, Tagged, mismatch};
use super::merge_patch::merged;
use super::shared::{change, not_found};
use crate::extract::{Caller, JsonBody, PathId, TemplatesWrite};
use crate::problem::Problem;
use crate::state::AppState;
use axum::extract::State;
use axum::http::StatusCode;
use scheduler_core::domain::{Template, TemplateId, TemplateSpec};
use scheduler_core::store::templates::TemplateChange;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// How often somebody else may be first before the caller hears of it.
const TRIES: usize = 5;

/// Change a template in part
///
/// By JSON merge patch (RFC 7396): members that are named are replaced, null removes. The result is judged as a whole,
/// and then has the effects of a replacement.
#[utoipa::path(
    patch, path = "/v1/templates/{id}", tag = "templates",
    params(
        ("id" = uuid::Uuid, Path, description = "The template's id"),
        ("If-Match" = Option<String>, Header, description = "Change only the version with this `ETag`"),
    ),
    request_body(content = TemplateSpec, content_type = "application/merge-patch+json", description = "Any part of a template"),
    responses(
        (status = 200, description = "The new version.", body = Template),
        (status = 409, description = "`name_taken`: another template has the name."),
        (status = 412, description = "The template has another version than `If-Match` allows."),
    )
)]
pub async fn patch_template(
    caller: Caller<TemplatesWrite>,
    State(app): State<AppState>,
    PathId(id): PathId<TemplateId>,
    if_match: IfMatch,
    body: JsonBody<Value>,
) -> Result<Tagged, Problem> {
    if !body.value.is_object() {
        return Err(Problem::invalid_field("", "a merge patch of a template is a JSON object"));
    }
    let mut current = app.store.get_template(caller.merchant, id).await?.ok_or_else(|| not_found(id))?;
    for _ in 0..TRIES {
        if_match.check(current.version)?;
        let definition = patched(&current, &body.value, &app)?;
        app.lanes.one(&app.store, caller.merchant, &definition.spec.job.queue).await?;
        let replace = TemplateChange::Replace { spec: &definition.spec, schedule: &definition.schedule };
        let only_this_version = IfMatch(Some(vec![current.version]));
        match change(&app, caller.merchant, id, &only_this_version, replace).await {
            Err(problem) if problem.status == StatusCode::PRECONDITION_FAILED => {}
            done => return done.map(|template| Tagged(StatusCode::OK, template)),
        }
        current = app.store.get_template(caller.merchant, id).await?.ok_or_else(|| not_found(id))?;
    }
    Err(mismatch(current.version))
}

/// The definition of a template with a patch merged into it.
fn patched(current: &Template, patch: &Value, app: &AppState) -> Result<Definition, Problem> {
    let job: Value = serde_json::from_str(current.job.get()).unwrap_or_default();
    let document = json!({
        "name": current.name, "schedule": current.schedule, "job": job, "active": current.active, "overlap": current.overlap,
    });
    let mut definition = from_document(&merged(document, patch.clone()), app)?;
    if patch.pointer("/job/payload").is_none() && patch.get("job").is_none_or(Value::is_object) {
        definition.spec.job.payload = stored_payload(current);
    }
    Ok(definition)
}

/// A payload that the patch does not touch stays as it was written, digit for digit.
fn stored_payload(current: &Template) -> Option<Box<RawValue>> {
    #[derive(Deserialize)]
    struct Stored {
        payload: Option<Box<RawValue>>,
    }
    serde_json::from_str::<Stored>(current.job.get()).ok()?.payload
}
