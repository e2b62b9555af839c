//! `GET /v1/templates/{id}/versions`

use super::shared::not_found;
use crate::extract::{Caller, PathId, Query, TemplatesRead};
use crate::paging::{List, Page, Paging};
use crate::problem::Problem;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use scheduler_core::domain::{TemplateId, TemplateVersion};

/// The versions of a template, latest first
///
/// Every change of a template makes one: also pausing and resuming it.
#[utoipa::path(
    get, path = "/v1/templates/{id}/versions", tag = "templates",
    params(("id" = uuid::Uuid, Path, description = "The template's id"), Paging),
    responses((status = 200, description = "A page of versions.", body = Page<TemplateVersion>))
)]
pub async fn list_versions(
    caller: Caller<TemplatesRead>,
    State(app): State<AppState>,
    PathId(id): PathId<TemplateId>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<TemplateVersion>>, Problem> {
    let (limit, before) = (paging.limit()?, paging.after::<i32>(List::Versions)?);
    let versions = app.store.list_template_versions(caller.merchant, id, before, limit as i64 + 1).await?;
    if versions.is_empty() && app.store.get_template(caller.merchant, id).await?.is_none() {
        return Err(not_found(id));
    }
    Ok(Json(Page::of(List::Versions, versions, limit, |version| version.version)))
}
