//! Jobs.

pub mod cancel;
pub mod create;
pub mod create_batch;
pub mod executions;
pub mod get;
pub mod list;
mod placing;
pub use placing::now;
pub mod retry;
pub mod run_now;

use crate::extract::PathId;
use crate::problem::Problem;
use crate::state::AppState;
use axum::http::header;
use axum::http::{HeaderName, HeaderValue};
use scheduler_core::domain::{Job, JobId, JobState, MerchantId};

/// The job, or 404.
async fn find(app: &AppState, merchant: MerchantId, PathId(id): PathId<JobId>) -> Result<Job, Problem> {
    app.store.job(merchant, id).await?.ok_or_else(|| Problem::not_found("job", id))
}

/// 409 for what cannot be done to a job that has ended.
fn already_finished(id: JobId, state: JobState, instead: &str) -> Problem {
    Problem::conflict("already_finished", format!("the job is {state} already{instead}")).with_job(Some(id))
}

/// `Location` of a new job.
pub fn location(id: JobId) -> [(HeaderName, HeaderValue); 1] {
    let value = HeaderValue::from_str(&format!("/v1/jobs/{id}")).expect("a UUID is a valid header value");
    [(header::LOCATION, value)]
}
