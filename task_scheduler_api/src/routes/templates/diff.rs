//! `GET /v1/templates/{id}/diff`

use super::shared::not_found;
use super::version::find;
use crate::extract::{Caller, PathId, Query, TemplatesRead};
use crate::problem::Problem;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use scheduler_core::domain::TemplateId;
use scheduler_core::domain::diff::{Change, diff};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which versions are compared.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// The earlier version (default: the one before `to`).
    from: Option<i32>,
    /// The later version (default: the present one).
    to: Option<i32>,
}

/// What is different in a later version.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionDiff {
    /// The earlier version.
    from: i32,
    /// The later version.
    to: i32,
    /// The differences, by JSON pointers into the template.
    changes: Vec<Change>,
}

/// What changed between two versions of a template
#[utoipa::path(
    get, path = "/v1/templates/{id}/diff", tag = "templates",
    params(("id" = uuid::Uuid, Path, description = "The template's id"), Parameters),
    responses((status = 200, description = "The differences.", body = VersionDiff))
)]
pub async fn diff_versions(
    caller: Caller<TemplatesRead>,
    State(app): State<AppState>,
    PathId(id): PathId<TemplateId>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<VersionDiff>, Problem> {
    let to = match parameters.to {
        Some(to) => to,
        None => app.store.get_template(caller.merchant, id).await?.ok_or_else(|| not_found(id))?.version,
    };
    let from = parameters.from.unwrap_or((to - 1).max(1));
    let earlier = find(&app, caller.merchant, id, from).await?;
    let later = find(&app, caller.merchant, id, to).await?;
    let changes = diff(&earlier.parts().document(), &later.parts().document());
    Ok(Json(VersionDiff { from, to, changes }))
}
