//! `POST /v1/templates/{id}/resume`

use super::etag::{IfMatch, Tagged};
use super::shared::change;
use crate::extract::{Caller, PathId, TemplatesWrite};
use crate::problem::Problem;
use crate::state::AppState;
use axum::extract::State;
use axum::http::StatusCode;
use scheduler_core::domain::{Template, TemplateId};
use scheduler_core::store::templates::TemplateChange;

/// Resume a template
///
/// It fires again from now on. What passed meanwhile is not made up for. Resuming a template that fires changes nothing.
#[utoipa::path(
    post, path = "/v1/templates/{id}/resume", tag = "templates",
    params(
        ("id" = uuid::Uuid, Path, description = "The template's id"),
        ("If-Match" = Option<String>, Header, description = "Only the version with this `ETag`"),
    ),
    responses(
        (status = 200, description = "The template, which fires.", body = Template),
        (status = 412, description = "The template has another version than `If-Match` allows."),
    )
)]
pub async fn resume_template(
    caller: Caller<TemplatesWrite>,
    State(app): State<AppState>,
    PathId(id): PathId<TemplateId>,
    if_match: IfMatch,
) -> Result<Tagged, Problem> {
    let template = change(&app, caller.merchant, id, &if_match, TemplateChange::Resume).await?;
    Ok(Tagged(StatusCode::OK, template))
}
