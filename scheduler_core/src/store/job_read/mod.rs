//! Reading jobs: one by its id, lists, executions. Live and finished jobs are one view, each read one statement, so
//! that a job on its way from one table to the other is seen exactly once.

mod executions;
mod filter;
mod list;
mod row;

pub use filter::JobFilter;

pub(super) use row::{FINISHED_COLUMNS, LIVE_COLUMNS};

use super::{Store, StoreResult};
use crate::domain::{Job, JobId, JobState, MerchantId};
use row::{FINISHED, LIVE};
use sqlx::{AssertSqlSafe, Row as _};
use std::sync::LazyLock;

static JOB: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {LIVE_COLUMNS}, j.payload, false AS payload_omitted {LIVE} WHERE j.merchant_id = $1 AND j.id = $2
         UNION ALL
         SELECT {FINISHED_COLUMNS}, f.payload, false AS payload_omitted {FINISHED} WHERE f.merchant_id = $1 AND f.id = $2"
    )
});

impl Store {
    /// The job with this id, live or finished.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn job(&self, merchant: MerchantId, id: JobId) -> StoreResult<Option<Job>> {
        // Constant text, put together once.
        let row =
            sqlx::query(AssertSqlSafe(JOB.as_str())).bind(merchant.0).bind(id.0).fetch_optional(self.pool()).await?;
        row.map(row::job).transpose()
    }

    /// Where the job is in its life.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn job_state(&self, merchant: MerchantId, id: JobId) -> StoreResult<Option<JobState>> {
        let row = sqlx::query(
            "SELECT CASE WHEN c.job_id IS NOT NULL THEN 'running' ELSE j.state END AS state, j.id
               FROM jobs_live j LEFT JOIN claims c ON c.merchant_id = j.merchant_id AND c.job_id = j.id
              WHERE j.merchant_id = $1 AND j.id = $2
             UNION ALL
             SELECT f.state, f.id FROM jobs_finished f WHERE f.merchant_id = $1 AND f.id = $2",
        )
        .bind(merchant.0)
        .bind(id.0)
        .fetch_optional(self.pool())
        .await?;
        row.map(|row| row::state(&row.try_get::<String, _>("state")?, id.0)).transpose()
    }
}
