//! Dead letters: finished jobs in the state `dead`. A redrive makes a new job of one; the dead one stays and shows it.

mod purge;
mod redrive;

pub use redrive::{Redrive, RedrivenJob};

use super::{Store, StoreResult};
use crate::domain::{JobId, MerchantId};
use std::collections::HashMap;
use uuid::Uuid;

impl Store {
    /// The jobs that each of these finished jobs was redriven as, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn redriven_as(&self, merchant: MerchantId, jobs: &[JobId]) -> StoreResult<HashMap<JobId, Vec<JobId>>> {
        let rows: Vec<(Uuid, Uuid)> = sqlx::query_as(
            "SELECT redriven_from, id FROM jobs_live WHERE merchant_id = $1 AND redriven_from = ANY($2)
             UNION ALL
             SELECT redriven_from, id FROM jobs_finished WHERE merchant_id = $1 AND redriven_from = ANY($2)
             ORDER BY id DESC",
        )
        .bind(merchant.0)
        .bind(jobs.iter().map(|job| job.0).collect::<Vec<_>>())
        .fetch_all(self.pool())
        .await?;
        let mut redriven: HashMap<JobId, Vec<JobId>> = HashMap::new();
        for (from, id) in rows {
            redriven.entry(JobId(from)).or_default().push(JobId(id));
        }
        Ok(redriven)
    }
}
