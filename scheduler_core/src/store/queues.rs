//! Queues: a merchant's named lanes, how deep they are, and whether they are paused.

use super::{Store, StoreError, StoreResult};
use crate::domain::{JobId, MerchantId};
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::Row;
use sqlx::postgres::PgRow;
use utoipa::ToSchema;

/// A queue with what is in it.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct Queue {
    /// Its name, as jobs give it.
    pub name: String,
    /// The executor pool that serves it.
    pub lane: String,
    /// When it was paused; null while it runs.
    pub paused_at: Option<DateTime<Utc>>,
    /// Jobs of the queue that run at once; null: any number.
    pub concurrency: Option<i32>,
    /// Jobs with the same `concurrency_key` that run at once.
    pub concurrency_key_limit: i32,
    /// When it was first used.
    pub created_at: DateTime<Utc>,
    /// How many jobs are in it.
    pub depth: QueueDepth,
    /// How long the job that is due longest has been waiting, in seconds; null when none is due.
    pub oldest_due_age_seconds: Option<f64>,
}

/// The live jobs of a queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, ToSchema)]
pub struct QueueDepth {
    /// Scheduled, and their time has come.
    pub due: i64,
    /// Scheduled for later.
    pub later: i64,
    /// Running now.
    pub running: i64,
    /// Between two attempts, the backoff over or not.
    pub retrying: i64,
    /// Waiting for other jobs.
    pub blocked: i64,
    /// Failed a moment ago and not judged yet.
    pub failed: i64,
}

/// A due job, as much of it as a wake-up needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DueJob {
    /// The job.
    pub id: JobId,
    /// Since when it may start.
    pub run_at: DateTime<Utc>,
    /// 0 to 9.
    pub priority: i16,
    /// Its lane.
    pub lane: String,
}

impl TryFrom<PgRow> for Queue {
    type Error = StoreError;

    fn try_from(row: PgRow) -> Result<Self, StoreError> {
        Ok(Self {
            name: row.try_get("name")?,
            lane: row.try_get("lane")?,
            paused_at: row.try_get("paused_at")?,
            concurrency: row.try_get("concurrency")?,
            concurrency_key_limit: row.try_get("concurrency_key_limit")?,
            created_at: row.try_get("created_at")?,
            depth: QueueDepth {
                due: row.try_get("due")?,
                later: row.try_get("later")?,
                running: row.try_get("running")?,
                retrying: row.try_get("retrying")?,
                blocked: row.try_get("blocked")?,
                failed: row.try_get("failed")?,
            },
            oldest_due_age_seconds: row.try_get("oldest_due_age_seconds")?,
        })
    }
}

/// The queues of a merchant `$1` with names after `$2`, or the one named `$4`; `$3` of them.
const QUEUES: &str = "
    WITH page AS (
        SELECT * FROM queues
         WHERE merchant_id = $1 AND ($2::text IS NULL OR name > $2) AND ($4::text IS NULL OR name = $4)
         ORDER BY name LIMIT $3
    ), depth AS (
        SELECT j.queue,
               count(*) FILTER (WHERE c.job_id IS NULL AND j.state = 'scheduled' AND j.run_at <= clock.now) AS due,
               count(*) FILTER (WHERE c.job_id IS NULL AND j.state = 'scheduled' AND j.run_at > clock.now)  AS later,
               count(*) FILTER (WHERE c.job_id IS NOT NULL)                                                 AS running,
               count(*) FILTER (WHERE c.job_id IS NULL AND j.state = 'retrying')                            AS retrying,
               count(*) FILTER (WHERE j.state = 'blocked')                                                  AS blocked,
               count(*) FILTER (WHERE j.state = 'failed')                                                   AS failed,
               extract(epoch FROM max(clock.now - j.run_at) FILTER (
                   WHERE c.job_id IS NULL AND j.state IN ('scheduled', 'retrying') AND j.run_at <= clock.now
               ))::float8 AS oldest_due_age_seconds
          FROM (SELECT clock_timestamp() AS now) AS clock
         CROSS JOIN jobs_live j
         -- By key for each row: joined as a table, claims that statistics call empty are read whole for each job.
         CROSS JOIN LATERAL (
              SELECT (SELECT c.job_id FROM claims c
                       WHERE c.merchant_id = ANY (ARRAY[j.merchant_id]) AND c.job_id = j.id) AS job_id OFFSET 0) c
         WHERE j.merchant_id = $1 AND j.queue = ANY (ARRAY(SELECT name FROM page))
         GROUP BY j.queue
    )
    SELECT p.name, p.lane, p.paused_at, p.concurrency, p.concurrency_key_limit, p.created_at, d.oldest_due_age_seconds,
           coalesce(d.due, 0) AS due, coalesce(d.later, 0) AS later, coalesce(d.running, 0) AS running,
           coalesce(d.retrying, 0) AS retrying, coalesce(d.blocked, 0) AS blocked, coalesce(d.failed, 0) AS failed
      FROM page p LEFT JOIN depth d ON d.queue = p.name
     ORDER BY p.name";

impl Store {
    /// Makes the queues that are new and tells the lane of each: one pair per name.
    ///
    /// # Errors
    /// When the database does not do it.
    pub async fn ensure_queues(&self, merchant: MerchantId, names: &[&str]) -> StoreResult<Vec<(String, String)>> {
        sqlx::query(
            // The merchant's limit is read under a lock, so that no change of it passes a new queue by.
            "INSERT INTO queues (merchant_id, name, merchant_concurrency)
             SELECT $1, w.name, (SELECT m.concurrency FROM merchants m WHERE m.id = $1 FOR SHARE) FROM unnest($2::text[]) AS w (name)
              WHERE NOT EXISTS (SELECT 1 FROM queues q WHERE q.merchant_id = $1 AND q.name = w.name)
              ORDER BY w.name
             ON CONFLICT DO NOTHING",
        )
        .bind(merchant.0)
        .bind(names)
        .execute(self.pool())
        .await?;
        // A second statement, because the first cannot see what it waited for.
        let lanes = sqlx::query_as("SELECT name, lane FROM queues WHERE merchant_id = $1 AND name = ANY($2)")
            .bind(merchant.0)
            .bind(names)
            .fetch_all(self.pool())
            .await?;
        Ok(lanes)
    }

    /// A merchant's queues by name, those after `after`, at most `rows` of them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn queues(&self, merchant: MerchantId, after: Option<&str>, rows: usize) -> StoreResult<Vec<Queue>> {
        let rows = sqlx::query(QUEUES)
            // Planned each time: a plan made while there was nothing to count would stay.
            .persistent(false)
            .bind(merchant.0)
            .bind(after)
            .bind(rows as i64)
            .bind(None::<String>)
            .fetch_all(self.pool())
            .await?;
        rows.into_iter().map(Queue::try_from).collect()
    }

    /// One queue.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn queue(&self, merchant: MerchantId, name: &str) -> StoreResult<Option<Queue>> {
        let row = sqlx::query(QUEUES)
            // Planned each time: a plan made while there was nothing to count would stay.
            .persistent(false)
            .bind(merchant.0)
            .bind(None::<String>)
            .bind(1_i64)
            .bind(name)
            .fetch_optional(self.pool())
            .await?;
        row.map(Queue::try_from).transpose()
    }

    /// Pauses a queue: no claim is granted for it from now on, running jobs go on. False when there is no such queue.
    /// Pausing twice keeps the first time.
    ///
    /// # Errors
    /// When the database does not do it.
    pub async fn pause_queue(&self, merchant: MerchantId, name: &str) -> StoreResult<bool> {
        let changed = sqlx::query(
            "UPDATE queues SET paused_at = coalesce(paused_at, clock_timestamp()) WHERE merchant_id = $1 AND name = $2",
        )
        .bind(merchant.0)
        .bind(name)
        .execute(self.pool())
        .await?;
        Ok(changed.rows_affected() == 1)
    }

    /// Resumes a queue. False when there is no such queue.
    ///
    /// # Errors
    /// When the database does not do it.
    pub async fn resume_queue(&self, merchant: MerchantId, name: &str) -> StoreResult<bool> {
        let changed = sqlx::query("UPDATE queues SET paused_at = NULL WHERE merchant_id = $1 AND name = $2")
            .bind(merchant.0)
            .bind(name)
            .execute(self.pool())
            .await?;
        Ok(changed.rows_affected() == 1)
    }
}
