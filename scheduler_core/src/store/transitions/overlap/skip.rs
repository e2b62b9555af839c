//! `scheduled` → `skipped`: a job falls due with others in its way, and its policy is not to wait.
//!
//! Judged under the claim key, when the job is due and not before: another may end in time. The occurrence is changed
//! with the job, so it always says what became of it.

use super::verdict;
use crate::domain::{JobId, MerchantId};
use crate::store::columns::keys;
use crate::store::transitions::claim_key::{release_keys, take_keys};
use crate::store::transitions::finish::finish_gone;
use crate::store::{Store, StoreResult};
use sqlx::PgConnection;
use uuid::Uuid;

const SKIP: &str = concat!(
    "WITH gone AS (
         DELETE FROM jobs_live
          WHERE state || '' = 'scheduled' AND ctid = ANY (ARRAY(
                SELECT j.job FROM unnest($1::uuid[], $2::uuid[]) AS h (merchant_id, job_id)
                 CROSS JOIN LATERAL (
                       -- By key, whatever the statistics say; hence the row addresses and `state || ''`, too.
                       SELECT j.ctid AS job, j.* FROM jobs_live j
                        WHERE j.merchant_id = h.merchant_id AND j.id = h.job_id
                          AND j.state || '' = 'scheduled' AND j.run_at <= clock_timestamp()
                       OFFSET 0) j
                 WHERE ",
    verdict!(),
    " = 'skip'))
         RETURNING *
     ), noted AS (
         UPDATE occurrences o SET outcome = 'skipped_overlap'
           FROM gone g
          WHERE o.merchant_id = ANY (ARRAY[g.merchant_id]) AND o.template_id = g.template_id
            AND o.nominal_at = g.scheduled_for AND o.job_id = g.id
     ) ",
    finish_gone!(
        false,
        "'skipped'",
        "'overlap'",
        "'an earlier job of the template was still live when this one fell due'"
    ),
    "RETURNING merchant_id, id"
);

/// Skips those of `jobs` that are scheduled, due, not running, and have to be skipped for what is in their way.
/// Runs in the caller's transaction; returns the jobs that are skipped now.
///
/// # Errors
/// When the database does not answer or a key was waited for too long.
pub async fn skip(
    connection: &mut PgConnection,
    jobs: &[(MerchantId, JobId)],
) -> StoreResult<Vec<(MerchantId, JobId)>> {
    let held = take_keys(connection, jobs).await?;
    if held.is_empty() {
        return Ok(Vec::new());
    }
    let skipped: Vec<(Uuid, Uuid)> =
        sqlx::query_as(SKIP).bind(held.merchants()).bind(held.jobs()).fetch_all(&mut *connection).await?;
    release_keys(connection, held).await?;
    Ok(keys(skipped))
}

impl Store {
    /// [`skip`] in a transaction of its own.
    ///
    /// # Errors
    /// When the database does not answer; nothing is changed then, unless it was the commit that got no answer.
    pub async fn skip_overlaps(&self, jobs: &[(MerchantId, JobId)]) -> StoreResult<Vec<(MerchantId, JobId)>> {
        self.pool()
            .within(async {
                if jobs.is_empty() {
                    return Ok(Vec::new());
                }
                let mut transaction = self.pool().begin().await?;
                let skipped = skip(&mut transaction, jobs).await?;
                transaction.commit().await?;
                Ok(skipped)
            })
            .await
    }
}
