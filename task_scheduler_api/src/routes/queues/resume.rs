//! `POST /v1/queues/{name}/resume`

use super::{check_name, find, missing};
use crate::extract::{Caller, PathId, QueuesWrite};
use crate::problem::Problem;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use scheduler_core::domain::MerchantId;
use scheduler_core::queue::DueHint;
use scheduler_core::store::StoreResult;
use scheduler_core::store::queues::Queue;

/// Jobs that start at once; the populators' next sweep finds the rest.
const WAKE: usize = 500;

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
    app.hints.due(due(&app, caller.merchant, &name).await?);
    find(&app, caller.merchant, &name).await.map(Json)
}

async fn due(app: &AppState, merchant: MerchantId, queue: &str) -> StoreResult<Vec<DueHint>> {
    let jobs = app.store.due_jobs(merchant, queue, WAKE).await?;
    let hint = |job: &scheduler_core::store::queues::DueJob| {
        app.hints.due_hint(app.clock.now(), (merchant, job.id), job.run_at, job.priority, &job.lane)
    };
    Ok(jobs.iter().filter_map(hint).collect())
}
