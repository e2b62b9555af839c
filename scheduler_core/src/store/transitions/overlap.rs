//! `scheduled` → `skipped`: a job falls due while an earlier one of its template is still live.
//!
//! Judged under the claim key, when the job is due and not before: an earlier one may end in time. The occurrence is
//! changed with the job, so it always says what became of it.

use super::claim_key::{release_keys, take_keys};
use super::finish::finish_gone;
use crate::domain::{JobId, MerchantId};
use crate::store::columns::{keys, row_limit};
use crate::store::{Store, StoreResult};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

const SKIP: &str = concat!(
    "WITH gone AS (
         DELETE FROM jobs_live
          WHERE state || '' = 'scheduled' AND ctid = ANY (ARRAY(
                SELECT j.job FROM unnest($1::uuid[], $2::uuid[]) AS h (merchant_id, job_id)
                 CROSS JOIN LATERAL (
                       -- By key, whatever the statistics say; hence the row addresses and `state || ''`, too.
                       SELECT j.ctid AS job, j.merchant_id, j.template_id, j.scheduled_for FROM jobs_live j
                        WHERE j.merchant_id = h.merchant_id AND j.id = h.job_id
                          AND j.state || '' = 'scheduled' AND j.overlap_skip IS TRUE AND j.run_at <= clock_timestamp()
                       OFFSET 0) j
                 WHERE (SELECT o.id FROM jobs_live o
                         WHERE o.merchant_id = j.merchant_id AND o.template_id = j.template_id
                           AND o.scheduled_for < j.scheduled_for
                         ORDER BY o.scheduled_for LIMIT 1) IS NOT NULL))
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

/// One page of due jobs whose policy is to be skipped; the last column says which have an earlier one in their way.
const DUE_OVERLAPS: &str = "
    WITH page AS MATERIALIZED (
        SELECT merchant_id, id, template_id, scheduled_for, run_at
          FROM jobs_live
         WHERE overlap_skip AND state = 'scheduled' AND run_at <= $1
           AND (run_at, merchant_id, id) > (coalesce($2, '-infinity'), $3, $4)
         ORDER BY run_at, merchant_id, id
         LIMIT $5
    )
    SELECT p.run_at, p.merchant_id, p.id,
           EXISTS (SELECT 1 FROM jobs_live o
                    WHERE o.merchant_id = p.merchant_id AND o.template_id = p.template_id
                      AND o.scheduled_for < p.scheduled_for)
           AND (SELECT c.token FROM claims c WHERE c.merchant_id = p.merchant_id AND c.job_id = p.id) IS NULL
      FROM page p
     ORDER BY p.run_at, p.merchant_id, p.id";

/// Place of a due job in the order of [`Store::due_overlaps`].
pub type OverlapCursor = (DateTime<Utc>, MerchantId, JobId);

/// One page of due jobs whose overlap policy is `skip`.
#[derive(Debug, Default)]
pub struct OverlapPage {
    /// Those with an earlier job of their template in the way.
    pub overlapping: Vec<(MerchantId, JobId)>,
    /// Where the next page begins; none: this was the last.
    pub next: Option<OverlapCursor>,
}

/// Skips those of `jobs` that are scheduled, due, not running, and overlap with an earlier job of their template.
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

    /// Reads up to `limit` due jobs whose overlap policy is `skip`, those behind `after`, in due order over all lanes.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn due_overlaps(
        &self,
        until: DateTime<Utc>,
        after: Option<OverlapCursor>,
        limit: usize,
    ) -> StoreResult<OverlapPage> {
        let rows: Vec<(DateTime<Utc>, Uuid, Uuid, bool)> = sqlx::query_as(DUE_OVERLAPS)
            .bind(until)
            .bind(after.map(|(at, _, _)| at))
            .bind(after.map_or(Uuid::nil(), |(_, merchant, _)| merchant.0))
            .bind(after.map_or(Uuid::nil(), |(_, _, job)| job.0))
            .bind(row_limit(limit))
            .fetch_all(self.pool())
            .await?;
        let full = rows.len() >= limit;
        let next = rows.last().filter(|_| full).map(|row| (row.0, MerchantId(row.1), JobId(row.2)));
        let overlapping = rows.into_iter().filter(|row| row.3).map(|row| (MerchantId(row.1), JobId(row.2))).collect();
        Ok(OverlapPage { overlapping, next })
    }
}
