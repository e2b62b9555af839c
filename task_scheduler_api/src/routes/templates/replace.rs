//! `PUT /v1/templates/{id}`

use super::body::Definition;
use super::dry_run::{DryRunParameters, foresee};
use super::etag::{IfMatch, Tagged};
use super::shared::{change, not_found, ready};
use crate::extract::{Caller, PathId, Query, TemplatesWrite};
use crate::problem::Problem;
use crate::state::AppState;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use scheduler_core::domain::{Template, TemplateId, TemplateSpec};
use scheduler_core::store::templates::TemplateChange;

/// Replace a template
///
/// Its jobs that are not due yet are cancelled (reason `template_changed`) and planned anew by the new definition; a
/// job that runs goes on.
#[utoipa::path(
    put, path = "/v1/templates/{id}", tag = "templates",
    params(
        ("id" = uuid::Uuid, Path, description = "The template's id"),
        ("If-Match" = Option<String>, Header, description = "Replace only the version with this `ETag`"),
        DryRunParameters,
    ),
    request_body = TemplateSpec,
    responses(
        (status = 200, description = "The new version; with `dry_run`: what it would change, a `DryRun`.", body = Template),
        (status = 409, description = "`name_taken`: another template has the name."),
        (status = 412, description = "The template has another version than `If-Match` allows."),
    )
)]
pub async fn replace_template(
    caller: Caller<TemplatesWrite>,
    State(app): State<AppState>,
    PathId(id): PathId<TemplateId>,
    if_match: IfMatch,
    Query(parameters): Query<DryRunParameters>,
    definition: Definition,
) -> Result<Response, Problem> {
    if parameters.is_on() {
        let current = app.store.get_template(caller.merchant, id).await?.ok_or_else(|| not_found(id))?;
        if_match.check(current.version)?;
        return foresee(&app, caller.merchant, Some(&current), definition).await;
    }
    ready(&app, caller.merchant, &definition).await?;
    let replace = TemplateChange::Replace { spec: &definition.spec, schedule: &definition.schedule };
    let template = change(&app, caller.merchant, id, &if_match, replace).await?;
    Ok(Tagged(StatusCode::OK, template).into_response())
}
