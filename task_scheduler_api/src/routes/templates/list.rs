//! `GET /v1/templates`

use crate::extract::{Caller, Query, TemplatesRead};
use crate::paging::{List, Page, Paging};
use crate::problem::Problem;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use scheduler_core::domain::{Template, TemplateId};
use scheduler_core::store::templates::TemplateQuery;
use serde::Deserialize;
use utoipa::IntoParams;

/// The parameters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// Only templates that fire, or only those that do not.
    active: Option<bool>,
    /// Only the template of this name.
    name: Option<String>,
    /// Only templates whose names begin so.
    name_prefix: Option<String>,
    /// Rows of a page, 1 to 200 (default 50).
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Templates, newest first
#[utoipa::path(
    get, path = "/v1/templates", tag = "templates",
    params(Parameters),
    responses((status = 200, description = "A page of templates.", body = Page<Template>))
)]
pub async fn list_templates(
    caller: Caller<TemplatesRead>,
    State(app): State<AppState>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Page<Template>>, Problem> {
    let paging = Paging { limit: parameters.limit, cursor: parameters.cursor };
    let limit = paging.limit()?;
    let query = TemplateQuery {
        active: parameters.active,
        name: parameters.name,
        name_prefix: parameters.name_prefix,
        before: paging.after(List::Templates)?.map(TemplateId),
        limit: limit as i64 + 1,
    };
    let templates = app.store.list_templates(caller.merchant, &query).await?;
    Ok(Json(Page::of(List::Templates, templates, limit, |template| template.id.0)))
}
