//! `POST /v1/queues/{name}/resume`

use super::{check_name, find, missing};
use crate::extract::{Caller, PathId, QueuesWrite};
use crate::problem::Problem;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use scheduler_core::store::queues::Queue;

/// Resume a queue
///
/// What has become due meanwhile starts at once. Resuming a queue that runs is fine.
#[utoipa::path(
    post, path = "/v1/queues/{name}/resume", tag = "queues",
    params(("name" = String, Path, description = "The queue's name; escape `/` as `%2F`.")),
    responses((status = 200, description = "The queue.", body = Queue)),
)]
pub async fn resume_queue(
    app: State<AppState>,
    caller: Caller<QueuesWrite>,
    name: PathId<String>,
) -> Result<Json<Queue>, Problem> {
    let PathId(name) = name;
    check_name(&name)?;
    if !app.store.resume_queue(caller.merchant, &name).await? {
        return Err(missing(&name));
    }
    let queue = find(&app, caller.merchant, &name).await?;
    app.hints.lane(queue.lane.clone());
    Ok(Json(queue))
}
