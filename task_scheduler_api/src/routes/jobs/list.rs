//! `GET /v1/jobs`

use crate::extract::query::comma_separated;
use crate::extract::{Caller, JobsRead, Query, time};
use crate::paging::{List, Page, Paging};
use crate::problem::Problem;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use scheduler_core::domain::{Job, JobState, TemplateId};
use scheduler_core::store::job_read::JobFilter;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

/// Most `tag` parameters of one list.
const MAX_TAGS: usize = 10;

/// What to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListJobs {
    /// Any of these states: repeated, or separated by commas.
    #[serde(default, deserialize_with = "comma_separated")]
    state: Vec<JobState>,
    /// Jobs of this queue.
    queue: Option<String>,
    /// Jobs of this template.
    template_id: Option<Uuid>,
    /// Jobs with this id of yours.
    external_id: Option<String>,
    /// `key:value` of a top-level entry of the metadata; repeated: all of them.
    #[serde(default)]
    tag: Vec<String>,
    /// Created at this time or later.
    #[serde(default, deserialize_with = "time::optional")]
    created_after: Option<DateTime<Utc>>,
    /// Created before this time.
    #[serde(default, deserialize_with = "time::optional")]
    created_before: Option<DateTime<Utc>>,
    /// With `run_at` at this time or later.
    #[serde(default, deserialize_with = "time::optional")]
    run_after: Option<DateTime<Utc>>,
    /// With `run_at` before this time.
    #[serde(default, deserialize_with = "time::optional")]
    run_before: Option<DateTime<Utc>>,
    /// Rows of a page, 1 to 200 (default 50).
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

impl ListJobs {
    fn filter(self) -> Result<(JobFilter, Paging), Problem> {
        if self.tag.len() > MAX_TAGS {
            return Err(Problem::invalid_field("/tag", format!("is given more than {MAX_TAGS} times")));
        }
        let filter = JobFilter {
            states: self.state,
            queue: self.queue,
            template: self.template_id.map(TemplateId),
            external_id: self.external_id,
            tags: self.tag.iter().map(|tag| parse_tag(tag)).collect::<Result<_, _>>()?,
            created_after: self.created_after,
            created_before: self.created_before,
            run_after: self.run_after,
            run_before: self.run_before,
            ..JobFilter::default()
        };
        Ok((filter, Paging { limit: self.limit, cursor: self.cursor }))
    }
}

fn parse_tag(tag: &str) -> Result<(String, String), Problem> {
    let split = tag.split_once(':').filter(|(key, _)| !key.is_empty());
    let (key, value) = split.ok_or_else(|| Problem::invalid_field("/tag", "write it as key:value"))?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Jobs, newest first
///
/// Payloads above 16 KiB are left out (`payload_omitted`). A filter by queue, state or tag that matches little is
/// fastest together with `created_after`.
#[utoipa::path(
    get, path = "/v1/jobs", tag = "jobs",
    params(ListJobs),
    responses((status = 200, description = "A page of jobs.", body = Page<Job>)),
)]
pub async fn list_jobs(
    app: State<AppState>,
    caller: Caller<JobsRead>,
    query: Query<ListJobs>,
) -> Result<Json<Page<Job>>, Problem> {
    let Query(query) = query;
    let (filter, paging) = query.filter()?;
    let (limit, after) = (paging.limit()?, paging.after(List::Jobs)?);
    let jobs = app.store.list_jobs(caller.merchant, &filter, after, limit + 1).await?;
    Ok(Json(Page::of(List::Jobs, jobs, limit, |job| job.id.0)))
}
