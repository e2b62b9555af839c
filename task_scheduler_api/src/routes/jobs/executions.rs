//! `GET /v1/jobs/{id}/executions`

use crate::extract::{Caller, JobsRead, PathId, Query};
use crate::paging::{List, Page, Paging};
use crate::problem::Problem;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use scheduler_core::domain::{Execution, JobId};

/// The attempts at a job, first to last
///
/// The one under way has no `finished_at` and no `outcome`.
#[utoipa::path(
    get, path = "/v1/jobs/{id}/executions", tag = "jobs",
    params(("id" = uuid::Uuid, Path, description = "The job's id."), Paging),
    responses((status = 200, description = "A page of attempts.", body = Page<Execution>)),
)]
pub async fn list_executions(
    app: State<AppState>,
    caller: Caller<JobsRead>,
    id: PathId<JobId>,
    query: Query<Paging>,
) -> Result<Json<Page<Execution>>, Problem> {
    let (PathId(id), Query(paging)) = (id, query);
    let (limit, after) = (paging.limit()?, paging.after(List::Executions)?.unwrap_or(0));
    let executions = app.store.executions(caller.merchant, id, after, limit + 1).await?;
    if executions.is_empty() && app.store.job_state(caller.merchant, id).await?.is_none() {
        return Err(Problem::not_found("job", id));
    }
    Ok(Json(Page::of(List::Executions, executions, limit, |execution| execution.attempt)))
}
