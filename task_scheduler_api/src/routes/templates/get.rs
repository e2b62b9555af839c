//! `GET /v1/templates/{id}`

use super::etag::Tagged;
use super::shared::not_found;
use crate::extract::{Caller, PathId, TemplatesRead};
use crate::problem::Problem;
use crate::state::AppState;
use axum::extract::State;
use axum::http::StatusCode;
use scheduler_core::domain::{Template, TemplateId};

/// A template
#[utoipa::path(
    get, path = "/v1/templates/{id}", tag = "templates",
    params(("id" = uuid::Uuid, Path, description = "The template's id")),
    responses((status = 200, description = "The template; `ETag` is its version.", body = Template))
)]
pub async fn get_template(
    caller: Caller<TemplatesRead>,
    State(app): State<AppState>,
    PathId(id): PathId<TemplateId>,
) -> Result<Tagged, Problem> {
    let template = app.store.get_template(caller.merchant, id).await?;
    template.map(|template| Tagged(StatusCode::OK, template)).ok_or_else(|| not_found(id))
}
