//! `GET /v1/queues`

use crate::extract::{Caller, Query, QueuesRead};
use crate::paging::{List, Page, Paging};
use crate::problem::Problem;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use scheduler_core::store::queues::Queue;

/// Queues by name, with what is in them
///
/// A queue exists once a job has named it, or `PATCH` has made it.
#[utoipa::path(
    get, path = "/v1/queues", tag = "queues",
    params(Paging),
    responses((status = 200, description = "A page of queues.", body = Page<Queue>)),
)]
pub async fn list_queues(
    app: State<AppState>,
    caller: Caller<QueuesRead>,
    query: Query<Paging>,
) -> Result<Json<Page<Queue>>, Problem> {
    let Query(paging) = query;
    let (limit, after) = (paging.limit()?, paging.after::<String>(List::Queues)?);
    let queues = app.store.queues(caller.merchant, after.as_deref(), limit + 1).await?;
    Ok(Json(Page::of(List::Queues, queues, limit, |queue| queue.name.clone())))
}
