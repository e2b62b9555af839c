//! `POST /v1/templates/{id}/pause`

use super::etag::{IfMatch, Tagged};
use super::shared::change;
use crate::extract::{Caller, PathId, TemplatesWrite};
use crate::problem::Problem;
use crate::state::AppState;
use axum::extract::State;
use axum::http::StatusCode;
use scheduler_core::domain::{Template, TemplateId};
use scheduler_core::store::templates::TemplateChange;

/// Pause a template
///
/// Its jobs that are not due yet are cancelled; a job that runs goes on. Pausing a paused template changes nothing.
#[utoipa::path(
    post, path = "/v1/templates/{id}/pause", tag = "templates",
    params(
        ("id" = uuid::Uuid, Path, description = "The template's id"),
        ("If-Match" = Option<String>, Header, description = "Only the version with this `ETag`"),
    ),
    responses(
        (status = 200, description = "The template, which does not fire.", body = Template),
        (status = 412, description = "The template has another version than `If-Match` allows."),
    )
)]
pub async fn pause_template(
    caller: Caller<TemplatesWrite>,
    State(app): State<AppState>,
    PathId(id): PathId<TemplateId>,
    if_match: IfMatch,
) -> Result<Tagged, Problem> {
    let template = change(&app, caller.merchant, id, &if_match, TemplateChange::Pause).await?;
    Ok(Tagged(StatusCode::OK, template))
}
