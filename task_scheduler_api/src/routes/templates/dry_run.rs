//! `?dry_run=true`: what a change would do, without doing it.

use super::body::Definition;
use super::future::Future;
use super::shared::name_taken;
use crate::problem::Problem;
use crate::routes::{calendars, jobs};
use crate::state::App;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use chrono::SubsecRound as _;
use scheduler_core::domain::diff::{Change, diff};
use scheduler_core::domain::outlook::{OccurrenceChanges, compare};
use scheduler_core::domain::template_version::document_of;
use scheduler_core::domain::{MerchantId, Template, TemplateSpec};
use scheduler_core::store::templates::TemplateQuery;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Skipped and moved occurrences that are looked at.
const MOST_ALTERED: i64 = 1_000;

/// The parameter of every change of a definition.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DryRunParameters {
    /// Judge the request and answer what it would change, with 200, but write nothing (default false).
    dry_run: Option<bool>,
}

impl DryRunParameters {
    /// Whether nothing is to be written.
    pub fn is_on(self) -> bool {
        self.dry_run.unwrap_or(false)
    }
}

/// What a change would do.
#[derive(Debug, Serialize, ToSchema)]
pub struct DryRun {
    /// Always true.
    dry_run: bool,
    /// The definition with everything that was left out; null members are not shown.
    #[schema(value_type = TemplateSpec)]
    definition: Value,
    /// What would be different, by JSON pointers; empty when nothing would. All of it is new for a new template.
    changes: Vec<Change>,
    /// What would happen to the next occurrences.
    occurrences: OccurrenceChanges,
}

/// What a new definition would do: to `current`, or as a new template. Everything that would be refused is refused.
pub async fn foresee(
    app: &App,
    merchant: MerchantId,
    current: Option<&Template>,
    definition: Definition,
) -> Result<Response, Problem> {
    let now = jobs::now(app).trunc_subsecs(6);
    check_name(app, merchant, current, &definition.spec.name).await?;
    let calendars = calendars::of_schedule(app, merchant, &definition.schedule).await?;
    let Definition { spec, schedule, .. } = definition;
    let document = document_of(&spec);
    let old = match current {
        Some(template) => Future::of(app, merchant, template).await?,
        None => None,
    };
    let new = Future {
        schedule,
        policies: spec.policies(),
        calendars,
        start: current.map_or(now, |template| template.created_at),
        id: current.map_or(Uuid::nil(), |template| template.id.0),
        runs: current.map_or(0, |template| template.runs),
        active: spec.active,
    };
    let before = current.map_or(Value::Object(Default::default()), |template| template.parts().document());
    let altered = match current {
        Some(template) => app.store.altered_occurrences(merchant, template.id, now, MOST_ALTERED).await?,
        None => Vec::new(),
    };
    // Looking at thousands of times is no matter of microseconds.
    let compared = tokio::task::spawn_blocking(move || {
        compare(old.as_ref().map(Future::outlook).as_ref(), &new.outlook(), now, &altered)
    });
    let occurrences = compared.await.map_err(|_| Problem::internal())?;
    let changes = diff(&before, &document);
    let foreseen = DryRun { dry_run: true, definition: document, changes, occurrences };
    Ok((StatusCode::OK, Json(foreseen)).into_response())
}

async fn check_name(app: &App, merchant: MerchantId, current: Option<&Template>, name: &str) -> Result<(), Problem> {
    if current.is_some_and(|template| template.name == name) {
        return Ok(());
    }
    let query = TemplateQuery { name: Some(name.to_owned()), limit: 1, ..TemplateQuery::default() };
    if app.store.list_templates(merchant, &query).await?.is_empty() { Ok(()) } else { Err(name_taken()) }
}
