//! `POST /v1/dead-letters/redrive`

use super::DeadLetterFilter;
use super::redrive::announce;
use crate::extract::{Caller, JobsWrite, JsonBody};
use crate::problem::Problem;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// What was brought back.
#[derive(Debug, Serialize, ToSchema)]
pub struct Redriven {
    /// How many; repeat the request until it is 0.
    redriven: usize,
    /// The new jobs.
    jobs: Vec<RedrivenAs>,
}

/// One of them.
#[derive(Debug, Serialize, ToSchema)]
pub struct RedrivenAs {
    /// The new job.
    id: Uuid,
    /// The dead letter that it repeats.
    redriven_from: Uuid,
}

/// Bring dead letters back
///
/// Those that the filter names and that were never redriven, the oldest first, `limit` at a time. One whose `dedupe_key`
/// a live job holds is passed over.
#[utoipa::path(
    post, path = "/v1/dead-letters/redrive", tag = "dead letters",
    request_body(content = DeadLetterFilter, example = json!({"queue": "emails", "reason": "exhausted", "limit": 500})),
    responses((status = 200, description = "The new jobs.", body = Redriven)),
)]
pub async fn redrive_dead_letters(
    app: State<AppState>,
    caller: Caller<JobsWrite>,
    body: JsonBody<DeadLetterFilter>,
) -> Result<Json<Redriven>, Problem> {
    let filter = body.value;
    let (conditions, rows) = (filter.conditions()?, filter.rows()?);
    let now = crate::routes::jobs::now(&app);
    let jobs = app.store.redrive_many(caller.merchant, &conditions, rows, now).await?;
    announce(&app, caller.merchant, &jobs);
    let jobs: Vec<_> = jobs.iter().map(|job| RedrivenAs { id: job.id.0, redriven_from: job.redriven_from.0 }).collect();
    Ok(Json(Redriven { redriven: jobs.len(), jobs }))
}
