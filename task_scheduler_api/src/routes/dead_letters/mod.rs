//! Dead letters: jobs whose retries are used up or that may not be retried.

mod filter;
pub mod get;
pub mod list;
pub mod purge;
pub mod purge_many;
pub mod redrive;
pub mod redrive_many;

pub use filter::DeadLetterFilter;
pub use redrive::redrive_job;

use crate::problem::Problem;
use crate::state::AppState;
use scheduler_core::domain::{Job, JobId, MerchantId};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A dead job and what was made of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeadLetter {
    /// The job, in the state `dead`.
    #[serde(flatten)]
    pub job: Job,
    /// Jobs that it was redriven as, newest first.
    pub redriven_as: Vec<Uuid>,
}

/// Adds to each job what it was redriven as.
async fn with_redrives(app: &AppState, merchant: MerchantId, jobs: Vec<Job>) -> Result<Vec<DeadLetter>, Problem> {
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    let mut redriven = app.store.redriven_as(merchant, &ids).await?;
    let letter = |job: Job| {
        let redriven_as = redriven.remove(&job.id).unwrap_or_default().into_iter().map(Uuid::from).collect();
        DeadLetter { job, redriven_as }
    };
    Ok(jobs.into_iter().map(letter).collect())
}
