//! `POST /v1/incidents/{id}/acknowledge`

use super::found;
use crate::extract::{Caller, JobsWrite, OptionalBody, PathId};
use crate::problem::Problem;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use scheduler_core::domain::Incident;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// Longest name.
const MOST_CHARACTERS: usize = 200;

/// Who acknowledges.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    /// A name for others to read.
    #[serde(default)]
    by: Option<String>,
}

/// Acknowledge an incident
///
/// Somebody looks after it: it does not escalate any more. More alerts of its key are still counted and not sent. Doing it
/// again keeps the first time and name.
#[utoipa::path(
    post, path = "/v1/incidents/{id}/acknowledge", tag = "incidents",
    params(("id" = Uuid, Path, description = "The incident's id.")),
    request_body(content = Acknowledgement, description = "May be left out.", example = json!({"by": "kim"})),
    responses((status = 200, description = "The incident.", body = Incident)),
)]
pub async fn acknowledge_incident(
    app: State<AppState>,
    caller: Caller<JobsWrite>,
    PathId(id): PathId<Uuid>,
    body: OptionalBody<Acknowledgement>,
) -> Result<Json<Incident>, Problem> {
    let by = body.value.by.as_deref().map(str::trim).filter(|by| !by.is_empty());
    if by.is_some_and(|by| by.chars().count() > MOST_CHARACTERS || by.contains('\0')) {
        let why = format!("must be at most {MOST_CHARACTERS} characters, none of them \\u0000");
        return Err(Problem::invalid_field("/by", why));
    }
    found(app.store.acknowledge_incident(caller.merchant, id, by).await?, id)
}
