//! Dead letters removed before their retention ends, with their executions.

use crate::domain::{JobId, JobState, MerchantId};
use crate::store::job_read::JobFilter;
use crate::store::{Store, StoreResult};
use sqlx::{Postgres, QueryBuilder};

impl Store {
    /// Removes one dead letter. False when there is none with this id.
    ///
    /// # Errors
    /// When the database does not do it.
    pub async fn purge_dead_letter(&self, merchant: MerchantId, job: JobId) -> StoreResult<bool> {
        let purged: i64 = sqlx::query_scalar(
            "WITH gone AS (
                 DELETE FROM jobs_finished WHERE merchant_id = $1 AND id = $2 AND is_dead RETURNING merchant_id, id
             ), runs AS (
                 DELETE FROM executions x USING gone g
                  WHERE x.merchant_id = ANY (ARRAY[g.merchant_id]) AND x.job_id = g.id
             )
             SELECT count(*) FROM gone",
        )
        .bind(merchant.0)
        .bind(job.0)
        .fetch_one(self.pool())
        .await?;
        Ok(purged > 0)
    }

    /// Removes the dead letters that pass the filter, oldest first, at most `rows`; returns how many.
    ///
    /// # Errors
    /// When the database does not do it.
    pub async fn purge_dead_letters(&self, merchant: MerchantId, filter: &JobFilter, rows: usize) -> StoreResult<u64> {
        let filter = JobFilter { states: vec![JobState::Dead], ..filter.clone() };
        let mut query = QueryBuilder::<Postgres>::new(
            "WITH picked AS (SELECT f.merchant_id, f.id, f.finished_at FROM jobs_finished f WHERE f.merchant_id = ",
        );
        query.push_bind(merchant.0);
        filter.push_finished(&mut query);
        query.push(" ORDER BY f.id LIMIT ").push_bind(rows as i64);
        query.push(
            "), gone AS (
                 DELETE FROM jobs_finished d USING picked p
                  WHERE d.merchant_id = ANY (ARRAY[p.merchant_id]) AND d.is_dead AND d.id = p.id
                    AND d.finished_at = p.finished_at
                 RETURNING d.merchant_id, d.id
             ), runs AS (
                 DELETE FROM executions x USING gone g
                  WHERE x.merchant_id = ANY (ARRAY[g.merchant_id]) AND x.job_id = g.id
             )
             SELECT count(*) FROM gone",
        );
        let purged: i64 = query.build_query_scalar().persistent(false).fetch_one(self.pool()).await?;
        Ok(u64::try_from(purged).unwrap_or(0))
    }
}
