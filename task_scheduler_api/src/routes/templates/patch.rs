//! `PATCH /v1/templates/{id}`

use super::body::{Definition, from_document};
use super::dry_run::{DryRunParameters, foresee};
use super::etag::{IfMatch, Tagged};
use super::merge_patch::{is_object, merged};
use super::shared::{change, not_found, ready};
use crate::extract::{Caller, JsonBody, PathId, Query, TemplatesWrite};
use crate::problem::Problem;
use crate::state::AppState;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use scheduler_core::domain::{Template, TemplateId, TemplateSpec};
use scheduler_core::store::templates::TemplateChange;
use serde_json::value::{RawValue, to_raw_value};

/// How often somebody else may be first before the caller hears of it.
const TRIES: usize = 50;

/// Change a template in part
///
/// By JSON merge patch (RFC 7396): members that are named are replaced, null removes. The result is judged as a whole,
/// and then has the effects of a replacement.
#[utoipa::path(
    patch, path = "/v1/templates/{id}", tag = "templates",
    params(
        ("id" = uuid::Uuid, Path, description = "The template's id"),
        ("If-Match" = Option<String>, Header, description = "Change only the version with this `ETag`"),
        DryRunParameters,
    ),
    request_body(content = TemplateSpec, content_type = "application/merge-patch+json", description = "Any part of a template"),
    responses(
        (status = 200, description = "The new version; with `dry_run`: what it would change, a `DryRun`.", body = Template),
        (status = 409, description = "`name_taken`: another template has the name; `conflict`: other requests kept changing it."),
        (status = 412, description = "The template has another version than `If-Match` allows."),
    )
)]
pub async fn patch_template(
    caller: Caller<TemplatesWrite>,
    State(app): State<AppState>,
    PathId(id): PathId<TemplateId>,
    if_match: IfMatch,
    Query(parameters): Query<DryRunParameters>,
    body: JsonBody<Box<RawValue>>,
) -> Result<Response, Problem> {
    let patch = body.value;
    if !is_object(&patch) {
        return Err(Problem::invalid_field("", "a merge patch of a template is a JSON object"));
    }
    for _ in 0..TRIES {
        let current = app.store.get_template(caller.merchant, id).await?.ok_or_else(|| not_found(id))?;
        if_match.check(current.version)?;
        let definition = patched(&current, &patch, &app)?;
        if parameters.is_on() {
            return foresee(&app, caller.merchant, Some(&current), definition).await;
        }
        ready(&app, caller.merchant, &definition).await?;
        let replace = TemplateChange::Replace { spec: &definition.spec, schedule: &definition.schedule };
        let only_this_version = IfMatch(Some(vec![current.version]));
        match change(&app, caller.merchant, id, &only_this_version, replace).await {
            // Somebody else was first: merge into what they have made of it.
            Err(problem) if problem.status == StatusCode::PRECONDITION_FAILED => {}
            done => return done.map(|template| Tagged(StatusCode::OK, template).into_response()),
        }
    }
    Err(Problem::conflict("conflict", "the template kept being changed by other requests meanwhile; try again"))
}

/// The definition of a template with a patch merged into it.
fn patched(current: &Template, patch: &RawValue, app: &AppState) -> Result<Definition, Problem> {
    let document = to_raw_value(&current.parts()).and_then(|document| merged(&document, patch)).map_err(|error| {
        let detail = format!("cannot be merged ({error}); replace the template with PUT");
        Problem::invalid_field("", detail)
    })?;
    from_document(&document, app)
}
