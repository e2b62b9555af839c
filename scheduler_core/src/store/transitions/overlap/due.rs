//! Which jobs fall due with others in their way.

use super::{Verdict, verdict};
use crate::domain::{JobId, MerchantId};
use crate::store::columns::row_limit;
use crate::store::{Store, StoreResult};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// One page of due jobs that have a policy; the last column is the verdict on those that are not running.
const DUE_OVERLAPS: &str = concat!(
    "WITH j AS MATERIALIZED (
        SELECT * FROM jobs_live
         WHERE (overlap_skip OR overlap IS NOT NULL) AND state = 'scheduled' AND run_at <= $1
           AND (run_at, merchant_id, id) > (coalesce($2, '-infinity'), $3, $4)
         ORDER BY run_at, merchant_id, id
         LIMIT $5
    )
    SELECT j.run_at, j.merchant_id, j.id,
           CASE WHEN (SELECT c.token FROM claims c WHERE c.merchant_id = j.merchant_id AND c.job_id = j.id) IS NULL
                THEN ",
    verdict!(),
    " END
      FROM j
     ORDER BY j.run_at, j.merchant_id, j.id"
);

const VERDICT: &str = concat!("SELECT ", verdict!(), " FROM jobs_live j WHERE j.merchant_id = $1 AND j.id = $2");

/// Place of a due job in the order of [`Store::due_overlaps`].
pub type OverlapCursor = (DateTime<Utc>, MerchantId, JobId);

/// One page of due jobs that have an overlap policy.
#[derive(Debug, Default)]
pub struct OverlapPage {
    /// Those with others in their way, and what follows.
    pub judged: Vec<(MerchantId, JobId, Verdict)>,
    /// Where the next page begins; none: this was the last.
    pub next: Option<OverlapCursor>,
}

impl Store {
    /// Reads up to `limit` due jobs that have an overlap policy, those behind `after`, in due order over all lanes.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn due_overlaps(
        &self,
        until: DateTime<Utc>,
        after: Option<OverlapCursor>,
        limit: usize,
    ) -> StoreResult<OverlapPage> {
        let rows: Vec<(DateTime<Utc>, Uuid, Uuid, Option<String>)> = sqlx::query_as(DUE_OVERLAPS)
            .bind(until)
            .bind(after.map(|(at, _, _)| at))
            .bind(after.map_or(Uuid::nil(), |(_, merchant, _)| merchant.0))
            .bind(after.map_or(Uuid::nil(), |(_, _, job)| job.0))
            .bind(row_limit(limit))
            .fetch_all(self.pool())
            .await?;
        let full = rows.len() >= limit;
        let next = rows.last().filter(|_| full).map(|row| (row.0, MerchantId(row.1), JobId(row.2)));
        let judged = rows.into_iter().filter_map(|(_, merchant, job, verdict)| {
            Some((MerchantId(merchant), JobId(job), Verdict::parse(verdict.as_deref()?)?))
        });
        Ok(OverlapPage { judged: judged.collect(), next })
    }

    /// What a live job has to do with others in its way, if it is to start now; none: it may.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn overlap_verdict(&self, merchant: MerchantId, job: JobId) -> StoreResult<Option<Verdict>> {
        let verdict: Option<Option<String>> =
            sqlx::query_scalar(VERDICT).bind(merchant.0).bind(job.0).fetch_optional(self.pool()).await?;
        Ok(verdict.flatten().as_deref().and_then(Verdict::parse))
    }
}
