//! `POST /v1/queues/{name}/pause`

use super::{check_name, find, missing};
use crate::extract::{Caller, PathId, QueuesWrite};
use crate::problem::Problem;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use scheduler_core::store::queues::Queue;

/// Pause a queue
///
/// Nothing of it starts from now on; what runs goes on. Jobs can still be created. Pausing twice is fine.
#[utoipa::path(
    post, path = "/v1/queues/{name}/pause", tag = "queues",
    params(("name" = String, Path, description = "The queue's name; escape `/` as `%2F`.")),
    responses((status = 200, description = "The queue.", body = Queue)),
)]
pub async fn pause_queue(
    app: State<AppState>,
    caller: Caller<QueuesWrite>,
    name: PathId<String>,
) -> Result<Json<Queue>, Problem> {
    let PathId(name) = name;
    check_name(&name)?;
    if !app.store.pause_queue(caller.merchant, &name).await? {
        return Err(missing(&name));
    }
    find(&app, caller.merchant, &name).await.map(Json)
}
