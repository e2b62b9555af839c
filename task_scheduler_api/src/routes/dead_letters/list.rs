//! `GET /v1/dead-letters`

use super::filter::check_reason;
use super::{DeadLetter, with_redrives};
use crate::extract::{Caller, JobsRead, Query, time};
use crate::paging::{List, Page, Paging};
use crate::problem::Problem;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use scheduler_core::domain::{JobState, TemplateId};
use scheduler_core::store::job_read::JobFilter;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

/// What to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListDeadLetters {
    /// Of this queue.
    queue: Option<String>,
    /// Of this template.
    template_id: Option<Uuid>,
    /// With this id of yours.
    external_id: Option<String>,
    /// `exhausted`, `not_retryable` or `crashed`.
    reason: Option<String>,
    /// That died at this time or later.
    #[serde(default, deserialize_with = "time::optional")]
    after: Option<DateTime<Utc>>,
    /// That died before this time.
    #[serde(default, deserialize_with = "time::optional")]
    before: Option<DateTime<Utc>>,
    /// Only those that were redriven (true) or never were (false).
    redriven: Option<bool>,
    /// Rows of a page, 1 to 200 (default 50).
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Dead letters, newest job first
#[utoipa::path(
    get, path = "/v1/dead-letters", tag = "dead letters",
    params(ListDeadLetters),
    responses((status = 200, description = "A page of dead letters.", body = Page<DeadLetter>)),
)]
pub async fn list_dead_letters(
    app: State<AppState>,
    caller: Caller<JobsRead>,
    query: Query<ListDeadLetters>,
) -> Result<Json<Page<DeadLetter>>, Problem> {
    let Query(query) = query;
    check_reason(query.reason.as_deref())?;
    let filter = JobFilter {
        states: vec![JobState::Dead],
        queue: query.queue,
        template: query.template_id.map(TemplateId),
        external_id: query.external_id,
        reason: query.reason,
        finished_after: query.after,
        finished_before: query.before,
        redriven: query.redriven,
        ..JobFilter::default()
    };
    let paging = Paging { limit: query.limit, cursor: query.cursor };
    let (limit, after) = (paging.limit()?, paging.after(List::DeadLetters)?);
    let jobs = app.store.list_jobs(caller.merchant, &filter, after, limit + 1).await?;
    let page = Page::of(List::DeadLetters, jobs, limit, |job| job.id.0);
    let data = with_redrives(&app, caller.merchant, page.data).await?;
    Ok(Json(Page { data, next_cursor: page.next_cursor }))
}
