//! `scheduled | retrying` → `expired`: the next attempt could not start before its deadline.
//!
//! An executor may just be claiming the job, so this happens under the claim key. A job that was called off ends as
//! cancelled: the cancel was acknowledged first.

use super::claim_key::{HeldKeys, release_keys, take_keys};
use super::finish::finish_gone;
use crate::domain::{JobId, MerchantId};
use crate::store::columns::row_limit;
use crate::store::{Store, StoreResult};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// A job that is not running although its start deadline has passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OverdueStart {
    /// The deadline.
    pub start_deadline_at: DateTime<Utc>,
    /// Whose job.
    pub merchant: MerchantId,
    /// Which job.
    pub job: JobId,
}

/// What became of jobs that missed their start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Expired {
    /// How many are expired now.
    pub expired: u64,
    /// How many had been called off and are cancelled now.
    pub cancelled: u64,
    /// Some of them has others that wait for it.
    pub has_dependents: bool,
}

/// Jobs that run are left out, so that they do not stand in the way of others.
const OVERDUE: &str = "
    SELECT j.start_deadline_at, j.merchant_id, j.id
      FROM jobs_live j
     WHERE j.start_deadline_at < statement_timestamp() AND j.start_deadline_at >= coalesce($1, '-infinity')
       AND (j.start_deadline_at, j.merchant_id, j.id) > (coalesce($1, '-infinity'), $2, $3)
       AND j.state || '' IN ('scheduled', 'retrying')
       AND (SELECT c.token FROM claims c WHERE c.merchant_id = j.merchant_id AND c.job_id = j.id) IS NULL
     ORDER BY j.start_deadline_at, j.merchant_id, j.id
     LIMIT $4";

const EXPIRE: &str = concat!(
    "WITH gone AS (
         DELETE FROM jobs_live j
          USING unnest($1::uuid[], $2::uuid[]) AS h (merchant_id, job_id)
          WHERE j.merchant_id = ANY (ARRAY[h.merchant_id]) AND j.id = h.job_id
            AND j.state || '' IN ('scheduled', 'retrying')
            AND coalesce(j.start_deadline_at, 'infinity') < clock_timestamp()
         RETURNING j.*, j.cancel_requested_at IS NOT NULL AS called_off
     ), finished AS (",
    finish_gone!(
        false,
        "CASE WHEN g.called_off THEN 'cancelled' ELSE 'expired' END",
        "CASE WHEN g.called_off THEN 'cancelled' ELSE 'start_deadline' END",
        "g.last_error"
    ),
    "RETURNING state, has_dependents
     )
     SELECT count(*) FILTER (WHERE state = 'expired'), count(*) FILTER (WHERE state = 'cancelled'),
            coalesce(bool_or(has_dependents), false)
       FROM finished"
);

impl Store {
    /// One page of jobs that missed their start, the longest overdue first, after the given one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn overdue_starts(&self, after: Option<OverdueStart>, limit: usize) -> StoreResult<Vec<OverdueStart>> {
        let rows: Vec<(DateTime<Utc>, Uuid, Uuid)> = sqlx::query_as(OVERDUE)
            .bind(after.map(|last| last.start_deadline_at))
            .bind(after.map_or(Uuid::nil(), |last| last.merchant.0))
            .bind(after.map_or(Uuid::nil(), |last| last.job.0))
            .bind(row_limit(limit))
            .fetch_all(self.pool())
            .await?;
        let read = |(start_deadline_at, merchant, job)| OverdueStart {
            start_deadline_at,
            merchant: MerchantId(merchant),
            job: JobId(job),
        };
        Ok(rows.into_iter().map(read).collect())
    }

    /// Ends those of the jobs that have missed their start and do not run, in one transaction. The others are passed
    /// over: who has a claim has started in time or is just being judged by somebody else.
    ///
    /// # Errors
    /// When the database does not answer, a key was waited for too long, or the data of some job is refused.
    pub async fn expire_overdue(&self, jobs: &[OverdueStart]) -> StoreResult<Expired> {
        self.pool()
            .within(async {
                let wanted: Vec<_> = jobs.iter().map(|overdue| (overdue.merchant, overdue.job)).collect();
                let mut transaction = self.pool().begin().await?;
                let held = take_keys(&mut transaction, &wanted).await?;
                if held.is_empty() {
                    transaction.rollback().await?;
                    return Ok(Expired::default());
                }
                let expired = expire_held(&mut transaction, &held).await?;
                release_keys(&mut transaction, held).await?;
                transaction.commit().await?;
                Ok(expired)
            })
            .await
    }
}

/// The second look, younger than whatever the keys waited for.
async fn expire_held(connection: &mut PgConnection, held: &HeldKeys) -> StoreResult<Expired> {
    let (expired, cancelled, has_dependents): (i64, i64, bool) =
        sqlx::query_as(EXPIRE).bind(held.merchants()).bind(held.jobs()).fetch_one(connection).await?;
    Ok(Expired { expired: expired.unsigned_abs(), cancelled: cancelled.unsigned_abs(), has_dependents })
}
