//! `scheduled` and `retrying` stay what they are, but their time is now.

use super::claim_key::{release_keys, take_keys};
use crate::domain::{JobId, JobState, MerchantId};
use crate::store::queues::DueJob;
use crate::store::{Store, StoreResult};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// What came of a run-now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RunNow {
    /// The job is due. One that was due already keeps its time.
    Due(DueJob),
    /// It runs already.
    Running,
    /// It waits for something else than time: `blocked` or `failed`.
    NotWaiting(JobState),
    /// There is no live job with this id: it has ended, or never was.
    NotLive,
}

const RUN_NOW: &str = "
    UPDATE jobs_live SET run_at = least(run_at, clock_timestamp())
     WHERE merchant_id = $1 AND id = $2 AND state || '' IN ('scheduled', 'retrying')
    RETURNING run_at, priority, lane";

impl Store {
    /// Lets a waiting job start at once.
    ///
    /// # Errors
    /// When the database does not do it. Doing it again is safe.
    pub async fn run_now(&self, merchant: MerchantId, job: JobId) -> StoreResult<RunNow> {
        self.pool()
            .within(async {
                let mut transaction = self.pool().begin().await?;
                let outcome = try_run(&mut transaction, merchant, job).await?;
                transaction.commit().await?;
                Ok(outcome)
            })
            .await
    }
}

async fn try_run(connection: &mut PgConnection, merchant: MerchantId, job: JobId) -> StoreResult<RunNow> {
    let key = take_keys(connection, &[(merchant, job)]).await?;
    if key.is_empty() {
        return Ok(RunNow::Running);
    }
    let due: Option<(DateTime<Utc>, i16, String)> =
        sqlx::query_as(RUN_NOW).bind(merchant.0).bind(job.0).fetch_optional(&mut *connection).await?;
    let outcome = match due {
        Some((run_at, priority, lane)) => RunNow::Due(DueJob { id: job, run_at, priority, lane }),
        None => not_waiting(connection, merchant, job).await?,
    };
    release_keys(connection, key).await?;
    Ok(outcome)
}

async fn not_waiting(connection: &mut PgConnection, merchant: MerchantId, job: JobId) -> StoreResult<RunNow> {
    let state: Option<String> = sqlx::query_scalar("SELECT state FROM jobs_live WHERE merchant_id = $1 AND id = $2")
        .bind(merchant.0)
        .bind(job.0)
        .fetch_optional(connection)
        .await?;
    let state = state.and_then(|state| state.parse().ok());
    Ok(state.map_or(RunNow::NotLive, RunNow::NotWaiting))
}
