//! `POST /v1/dead-letters/purge`

use super::DeadLetterFilter;
use crate::extract::{Caller, JobsWrite, JsonBody};
use crate::problem::Problem;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

/// How many went.
#[derive(Debug, Serialize, ToSchema)]
pub struct Purged {
    /// Dead letters removed; repeat the request until it is 0.
    purged: u64,
}

/// Remove dead letters for good
///
/// Those that the filter names, the oldest first, `limit` at a time. At least one condition is needed.
#[utoipa::path(
    post, path = "/v1/dead-letters/purge", tag = "dead letters",
    request_body(content = DeadLetterFilter, example = json!({"queue": "emails", "before": "2026-01-01T00:00:00Z"})),
    responses((status = 200, description = "How many were removed.", body = Purged)),
)]
pub async fn purge_dead_letters(
    app: State<AppState>,
    caller: Caller<JobsWrite>,
    body: JsonBody<DeadLetterFilter>,
) -> Result<Json<Purged>, Problem> {
    let filter = body.value;
    if filter.is_everything() {
        let detail =
            "name at least one of queue, template_id, before, after and reason: nothing is purged by an empty filter";
        return Err(Problem::invalid_field("", detail));
    }
    let purged = app.store.purge_dead_letters(caller.merchant, &filter.conditions()?, filter.rows()?).await?;
    tracing::info!(merchant = %caller.merchant, key = caller.key_id, purged, ?filter, "dead letters were purged");
    Ok(Json(Purged { purged }))
}
