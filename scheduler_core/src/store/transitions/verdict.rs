//! `failed` → `retrying | dead | cancelled`: what follows a failed attempt.
//!
//! The watcher judges ([`crate::domain::backoff::judge`]), these statements write. A failed job cannot be claimed, so its
//! row's own lock is enough. Rows that somebody else has locked (another watcher with the same verdict, a cancel) are
//! passed over instead of waited for; if nothing came of it the next sweep finds them again.

use super::batch::fetch_batch;
use super::finish::finish_gone;
use crate::domain::{Backoff, JobId, MerchantId};
use crate::planted::bent;
use crate::store::alerts::alert_dead;
use crate::store::columns::row_limit;
use crate::store::{Store, StoreError, StoreResult};
use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::postgres::PgRow;
use std::time::Duration;
use uuid::Uuid;

/// A job whose last attempt failed and about which nobody has decided.
#[derive(Debug)]
pub struct FailedJob {
    /// Which failure.
    pub key: FailureKey,
    /// When the failure was written.
    pub failed_at: DateTime<Utc>,
    /// Failures that count: lost attempts do not.
    pub failures: u32,
    /// Failures that are allowed.
    pub max_attempts: u32,
    /// Whether this kind of failure may be repeated at all.
    pub retryable: bool,
    /// The least wait from `failed_at` that the target asked for.
    pub asked_wait: Option<Duration>,
    /// The job's retry policy; `None`: the default one. An error means that the row is corrupt.
    pub backoff: Result<Option<Backoff>, StoreError>,
    /// Somebody asked to cancel the job while it ran.
    pub called_off: bool,
}

/// One failure of one job: a verdict is about this attempt and no other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FailureKey {
    /// Whose job.
    pub merchant: MerchantId,
    /// Which job.
    pub job: JobId,
    /// The attempt that failed.
    pub attempt: i32,
}

impl FailedJob {
    /// Its place in the order of [`Store::failed_jobs`].
    pub fn cursor(&self) -> FailedCursor {
        (self.failed_at, self.key.merchant, self.key.job)
    }
}

/// A place in the order of [`Store::failed_jobs`].
pub type FailedCursor = (DateTime<Utc>, MerchantId, JobId);

/// "Another attempt, `delay` after the failure."
#[derive(Clone, Copy, Debug)]
pub struct RetryOrder {
    /// Which failure.
    pub key: FailureKey,
    /// The wait, counted from the failure.
    pub delay: Duration,
}

/// "No further attempt."
#[derive(Clone, Copy, Debug)]
pub struct BurialOrder {
    /// Which failure.
    pub key: FailureKey,
    /// Why: exhausted, not_retryable.
    pub reason: &'static str,
}

/// A job that waits for its next attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Retried {
    /// Whose job.
    pub merchant: MerchantId,
    /// Which job.
    pub job: JobId,
    /// When that may start.
    pub run_at: DateTime<Utc>,
    /// 0 goes first, 9 last.
    pub priority: u8,
    /// The lane of its queue.
    pub lane: String,
}

impl Retried {
    /// Reads the columns merchant, id, run_at, priority, lane, which begin at `first`.
    pub(super) fn read(row: &PgRow, first: usize) -> StoreResult<Self> {
        Ok(Self {
            merchant: MerchantId(row.try_get(first)?),
            job: JobId(row.try_get(first + 1)?),
            run_at: row.try_get(first + 2)?,
            priority: u8::try_from(row.try_get::<i16, _>(first + 3)?).unwrap_or(9),
            lane: row.try_get(first + 4)?,
        })
    }
}

/// What became of failed jobs that ended.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Buried {
    /// The reason of each job that ended.
    pub reasons: Vec<String>,
    /// Some of them has others that wait for it.
    pub has_dependents: bool,
}

const FAILED: &str = "
    SELECT merchant_id, id, attempt, failed_at, attempt - crashes, max_attempts, retryable,
           extract(epoch FROM retry_not_before - failed_at)::float8, backoff, cancel_requested_at IS NOT NULL
      FROM jobs_live
     WHERE state = 'failed' AND failed_at >= coalesce($1, '-infinity')
       AND (failed_at, merchant_id, id) > (coalesce($1, '-infinity'), $2, $3)
     ORDER BY failed_at, merchant_id, id
     LIMIT $4";

/// The rows of the failures that still stand, locked in key order. `extra` are columns of the orders.
macro_rules! lock_failed {
    ($arrays:literal, $columns:literal, $guard:literal) => {
        concat!(
            "WITH locked AS (
                 SELECT j.merchant_id, j.id, w.*
                   FROM unnest($1::uuid[], $2::uuid[], $3::int[]",
            $arrays,
            ") AS w (w_merchant, w_job, w_attempt",
            $columns,
            ")
                   JOIN jobs_live j ON j.merchant_id = ANY (ARRAY[w.w_merchant]) AND j.id = w.w_job
                  WHERE j.state || '' = 'failed' AND j.attempt = w.w_attempt
                    AND (j.cancel_requested_at ",
            $guard,
            ") IS TRUE
                  ORDER BY w.w_merchant, w.w_job
                    FOR UPDATE OF j SKIP LOCKED
             ), "
        )
    };
}

/// Never before what the target asked for, to the microsecond.
const RETRY: &str = concat!(
    lock_failed!(", $4::float8[]", ", w_delay", "IS NULL"),
    "retried AS (
         UPDATE jobs_live j
            SET state = 'retrying',
                run_at = greatest(j.failed_at + make_interval(secs => l.w_delay), j.retry_not_before),
                retryable = NULL, failed_at = NULL, retry_not_before = NULL
           FROM locked l
          WHERE j.merchant_id = ANY (ARRAY[l.merchant_id]) AND j.id = l.id
         RETURNING j.merchant_id, j.id, j.run_at, j.priority, j.lane
     )
     SELECT * FROM retried"
);

/// The dead letter and its alert are one statement: neither is without the other.
const BURY: &str = concat!(
    lock_failed!(", $4::text[]", ", w_reason", "IS NULL"),
    "gone AS (
         DELETE FROM jobs_live j USING locked l
          WHERE j.merchant_id = ANY (ARRAY[l.merchant_id]) AND j.id = l.id
         RETURNING j.*, l.w_reason
     ), finished AS (",
    finish_gone!(true, "'dead'", "g.w_reason", "g.last_error"),
    "RETURNING *
     ), alerted AS (",
    alert_dead!(),
    ")
     SELECT reason, has_dependents FROM finished"
);

const CALL_OFF: &str = concat!(
    lock_failed!("", "", "IS NOT NULL"),
    "gone AS (
         DELETE FROM jobs_live j USING locked l
          WHERE j.merchant_id = ANY (ARRAY[l.merchant_id]) AND j.id = l.id
         RETURNING j.*
     ), finished AS (",
    finish_gone!(false, "'cancelled'", "'cancelled'", "g.last_error"),
    "RETURNING reason, has_dependents
     )
     SELECT reason, has_dependents FROM finished"
);

impl Store {
    /// One page of failed jobs, the longest failed first, after the given place.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn failed_jobs(&self, after: Option<FailedCursor>, limit: usize) -> StoreResult<Vec<FailedJob>> {
        let rows = sqlx::query(FAILED)
            .bind(after.map(|(at, ..)| at))
            .bind(after.map_or(Uuid::nil(), |(_, merchant, _)| merchant.0))
            .bind(after.map_or(Uuid::nil(), |(.., job)| job.0))
            .bind(row_limit(limit))
            .fetch_all(self.pool())
            .await?;
        rows.iter().map(read_failed).collect()
    }

    /// `failed` → `retrying`. Failures about which somebody else has decided by now, and jobs that were called off,
    /// are passed over.
    ///
    /// # Errors
    /// When the database does not answer or refuses the data of some job.
    pub async fn retry(&self, orders: &[RetryOrder]) -> StoreResult<Vec<Retried>> {
        let delays: Vec<f64> = orders.iter().map(|order| order.delay.as_secs_f64()).collect();
        let keys = Columns::of(orders.iter().map(|order| order.key));
        let statement = sqlx::query(RETRY).bind(keys.merchants).bind(keys.jobs).bind(keys.attempts).bind(delays);
        let rows = fetch_batch(self.pool(), statement).await?;
        let retried: Vec<Retried> = rows.iter().map(|row| Retried::read(row, 0)).collect::<StoreResult<_>>()?;
        #[cfg(feature = "planted-bugs")]
        if crate::planted::planted("retry_in_second_transaction") {
            let jobs: Vec<Uuid> = retried.iter().map(|retried| retried.job.0).collect();
            let lifted = crate::store::planted::lift(&mut *self.pool().acquire().await?, &jobs).await?;
            crate::store::planted::lay(self.pool(), lifted).await?;
        }
        Ok(retried)
    }

    /// `failed` → `dead`, with the alert. Failures about which somebody else has decided by now, and jobs that were
    /// called off, are passed over.
    ///
    /// # Errors
    /// When the database does not answer or refuses the data of some job.
    pub async fn bury(&self, orders: &[BurialOrder]) -> StoreResult<Buried> {
        let reasons: Vec<&str> = orders.iter().map(|order| order.reason).collect();
        let keys = Columns::of(orders.iter().map(|order| order.key));
        let statement = sqlx::query(bent(BURY, "dead_letter_without_alert", "WHERE f.is_dead", "WHERE false"))
            .bind(keys.merchants)
            .bind(keys.jobs)
            .bind(keys.attempts)
            .bind(reasons);
        let rows = fetch_batch(self.pool(), statement).await?;
        buried(&rows)
    }

    /// `failed` → `cancelled`, for jobs that were called off while they ran: a cancel wins over a retry.
    ///
    /// # Errors
    /// When the database does not answer or refuses the data of some job.
    pub async fn call_off(&self, failures: &[FailureKey]) -> StoreResult<Buried> {
        let keys = Columns::of(failures.iter().copied());
        let statement = sqlx::query(CALL_OFF).bind(keys.merchants).bind(keys.jobs).bind(keys.attempts);
        let rows = fetch_batch(self.pool(), statement).await?;
        buried(&rows)
    }
}

fn buried(rows: &[PgRow]) -> StoreResult<Buried> {
    let mut buried = Buried::default();
    for row in rows {
        buried.reasons.push(row.try_get(0)?);
        buried.has_dependents |= row.try_get::<bool, _>(1)?;
    }
    Ok(buried)
}

fn read_failed(row: &PgRow) -> StoreResult<FailedJob> {
    let key =
        FailureKey { merchant: MerchantId(row.try_get(0)?), job: JobId(row.try_get(1)?), attempt: row.try_get(2)? };
    let number = |column: usize| -> StoreResult<u32> { Ok(u32::try_from(row.try_get::<i32, _>(column)?).unwrap_or(0)) };
    let asked: Option<f64> = row.try_get(7)?;
    let backoff: Option<&str> = row.try_get(8)?;
    Ok(FailedJob {
        key,
        failed_at: row.try_get(3)?,
        failures: number(4)?,
        max_attempts: number(5)?,
        retryable: row.try_get(6)?,
        // Negative: asked for a moment that had passed when the failure was written.
        asked_wait: asked.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        backoff: backoff
            .map(serde_json::from_str)
            .transpose()
            .map_err(|error| StoreError::corrupt("jobs_live", "backoff", key.job, error)),
        called_off: row.try_get(9)?,
    })
}

/// Failures as arrays, one per column.
struct Columns {
    merchants: Vec<Uuid>,
    jobs: Vec<Uuid>,
    attempts: Vec<i32>,
}

impl Columns {
    fn of(keys: impl Iterator<Item = FailureKey> + Clone) -> Self {
        Self {
            merchants: keys.clone().map(|key| key.merchant.0).collect(),
            jobs: keys.clone().map(|key| key.job.0).collect(),
            attempts: keys.map(|key| key.attempt).collect(),
        }
    }
}
