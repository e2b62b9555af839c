//! `GET /v1/templates/{id}/versions/{version}`

use super::etag::{Tagged, Versioned};
use super::shared::not_found;
use crate::extract::{Caller, TemplatesRead};
use crate::problem::Problem;
use crate::state::{App, AppState};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use scheduler_core::domain::{MerchantId, TemplateId, TemplateVersion};

impl Versioned for TemplateVersion {
    fn version(&self) -> i32 {
        self.version
    }
}

/// One version of a template
#[utoipa::path(
    get, path = "/v1/templates/{id}/versions/{version}", tag = "templates",
    params(
        ("id" = uuid::Uuid, Path, description = "The template's id"),
        ("version" = i32, Path, description = "The version's number"),
    ),
    responses((status = 200, description = "What the template was from then on.", body = TemplateVersion))
)]
pub async fn get_version(
    caller: Caller<TemplatesRead>,
    State(app): State<AppState>,
    Path((id, version)): Path<(String, String)>,
) -> Result<Tagged<TemplateVersion>, Problem> {
    let id: TemplateId = id.parse().map_err(|_| Problem::not_found("template", "with this id"))?;
    let number = version.parse().map_err(|_| no_version(&version))?;
    find(&app, caller.merchant, id, number).await.map(|version| Tagged(StatusCode::OK, version))
}

/// A version of a template, or 404 that says what is missing.
pub(super) async fn find(
    app: &App,
    merchant: MerchantId,
    id: TemplateId,
    version: i32,
) -> Result<TemplateVersion, Problem> {
    if let Some(found) = app.store.template_version(merchant, id, version).await? {
        return Ok(found);
    }
    match app.store.get_template(merchant, id).await? {
        Some(template) => Err(Problem::not_found(
            "version",
            format!("{version} of the template; there are 1 to {}", template.version),
        )),
        None => Err(not_found(id)),
    }
}

fn no_version(text: &str) -> Problem {
    let shown: String = text.chars().filter(|c| !c.is_control()).take(20).collect();
    Problem::not_found("version", format!("`{shown}`; versions are numbers from 1"))
}
