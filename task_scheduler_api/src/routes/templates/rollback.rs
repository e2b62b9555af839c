//! `POST /v1/templates/{id}/rollback`

use super::body::from_document;
use super::etag::{IfMatch, Tagged};
use super::shared::{change, not_found, ready};
use super::version::find;
use crate::extract::{Caller, JsonBody, PathId, TemplatesWrite};
use crate::problem::Problem;
use crate::state::AppState;
use axum::extract::State;
use axum::http::StatusCode;
use scheduler_core::domain::template_version::{DefinitionParts, document_of};
use scheduler_core::domain::{Template, TemplateId};
use scheduler_core::store::templates::TemplateChange;
use serde::Deserialize;
use serde_json::value::to_raw_value;
use utoipa::ToSchema;

/// Where to go back to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rollback {
    /// The version whose definition is to be in force again.
    #[schema(example = 3)]
    version: i32,
}

/// Roll a template back
///
/// Makes a new version with the definition of an earlier one, which is judged as if it were sent anew. A paused template
/// stays paused. Its jobs that are not due yet are planned anew; a job that runs goes on. Going back to what is in force
/// changes nothing.
#[utoipa::path(
    post, path = "/v1/templates/{id}/rollback", tag = "templates",
    params(
        ("id" = uuid::Uuid, Path, description = "The template's id"),
        ("If-Match" = Option<String>, Header, description = "Change only the version with this `ETag`"),
    ),
    request_body(content = Rollback, example = json!({"version": 3})),
    responses(
        (status = 200, description = "The new version.", body = Template),
        (status = 409, description = "`name_taken`: another template has the name of that time."),
        (status = 412, description = "The template has another version than `If-Match` allows."),
        (status = 422, description = "The definition is not valid any longer; `errors` point into it."),
    )
)]
pub async fn rollback_template(
    caller: Caller<TemplatesWrite>,
    State(app): State<AppState>,
    PathId(id): PathId<TemplateId>,
    if_match: IfMatch,
    body: JsonBody<Rollback>,
) -> Result<Tagged, Problem> {
    let current = app.store.get_template(caller.merchant, id).await?.ok_or_else(|| not_found(id))?;
    if_match.check(current.version)?;
    let wanted = find(&app, caller.merchant, id, body.value.version).await?;
    let document = to_raw_value(&DefinitionParts { active: current.active, ..wanted.parts() }).map_err(|error| {
        Problem::invalid_field("/version", format!("the definition of that version cannot be read ({error})"))
    })?;
    let definition = from_document(&document, &app)?;
    if document_of(&definition.spec) == current.parts().document() {
        return Ok(Tagged(StatusCode::OK, current));
    }
    ready(&app, caller.merchant, &definition).await?;
    let replace = TemplateChange::Replace { spec: &definition.spec, schedule: &definition.schedule };
    // What was looked at is what is replaced.
    let only_this_version = IfMatch(Some(vec![current.version]));
    let template = change(&app, caller.merchant, id, &only_this_version, replace).await?;
    Ok(Tagged(StatusCode::OK, template))
}
