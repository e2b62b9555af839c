//! `DELETE /v1/templates/{id}`

use super::etag::IfMatch;
use super::shared::change;
use crate::extract::{Caller, PathId, TemplatesWrite};
use crate::problem::Problem;
use crate::state::AppState;
use axum::extract::State;
use axum::http::StatusCode;
use scheduler_core::domain::TemplateId;
use scheduler_core::store::templates::TemplateChange;

/// Delete a template
///
/// Its jobs that are not due yet are cancelled; a job that runs goes on. Finished jobs stay until their retention ends; the name is free at once.
#[utoipa::path(
    delete, path = "/v1/templates/{id}", tag = "templates",
    params(
        ("id" = uuid::Uuid, Path, description = "The template's id"),
        ("If-Match" = Option<String>, Header, description = "Delete only the version with this `ETag`"),
    ),
    responses(
        (status = 204, description = "It is gone."),
        (status = 412, description = "The template has another version than `If-Match` allows."),
    )
)]
pub async fn delete_template(
    caller: Caller<TemplatesWrite>,
    State(app): State<AppState>,
    PathId(id): PathId<TemplateId>,
    if_match: IfMatch,
) -> Result<StatusCode, Problem> {
    change(&app, caller.merchant, id, &if_match, TemplateChange::Delete).await?;
    Ok(StatusCode::NO_CONTENT)
}
