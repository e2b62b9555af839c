//! Queues: a merchant's named lanes, how deep they are, and whether they are paused.

use super::columns::row_limit;
use super::plans::plan_by_key;
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
    /// Counting has stopped, at 10,000 jobs or in long lists of queues sooner: there may be more than the numbers say.
    pub at_least: bool,
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
                at_least: row.try_get("at_least")?,
            },
            oldest_due_age_seconds: row.try_get("oldest_due_age_seconds")?,
        })
    }
}

/// The queues of a merchant `$1` with names after `$2`, or the one named `$4`; `$3` of them. `$5`: where counting stops.
///
/// What waits is read from the index of due jobs, one range for each priority, so that a queue with millions of jobs takes no
/// longer than one with `$5`; the rest has few rows, or is cut off, too.
const QUEUES: &str = "
    WITH page AS (
        SELECT * FROM queues
         WHERE merchant_id = $1 AND ($2::text IS NULL OR name > $2) AND ($4::text IS NULL OR name = $4)
         ORDER BY name LIMIT $3
    ), running AS (
        SELECT j.queue, count(*) AS jobs
          FROM (SELECT c.job_id FROM claims c WHERE c.merchant_id = $1 LIMIT 10 * $5) c
         CROSS JOIN LATERAL (
               SELECT j.queue FROM jobs_live j WHERE j.merchant_id = $1 AND j.id = c.job_id OFFSET 0) j
         GROUP BY j.queue
    ), blocked AS (
        SELECT b.queue, count(*) AS jobs
          FROM (SELECT j.queue FROM jobs_live j WHERE j.merchant_id = $1 AND j.state = 'blocked' LIMIT 10 * $5) b
         GROUP BY b.queue
    ), failed AS (
        SELECT f.queue, count(*) AS jobs
          FROM (SELECT j.queue FROM jobs_live j WHERE j.merchant_id = $1 AND j.state = 'failed' LIMIT 10 * $5) f
         GROUP BY f.queue
    )
    SELECT p.name, p.lane, p.paused_at, p.concurrency, p.concurrency_key_limit, p.created_at,
           extract(epoch FROM statement_timestamp() - oldest.run_at)::float8 AS oldest_due_age_seconds,
           due.scheduled AS due, later.scheduled AS later, due.retrying + later.retrying AS retrying,
           coalesce(running.jobs, 0) AS running, coalesce(blocked.jobs, 0) AS blocked, coalesce(failed.jobs, 0) AS failed,
           greatest(due.scheduled + due.retrying, later.scheduled + later.retrying) >= $5
               OR coalesce((SELECT sum(r.jobs) FROM running r), 0) >= 10 * $5
               OR coalesce((SELECT sum(b.jobs) FROM blocked b), 0) >= 10 * $5
               OR coalesce((SELECT sum(f.jobs) FROM failed f), 0) >= 10 * $5 AS at_least
      FROM page p
     CROSS JOIN LATERAL (
           SELECT count(*) FILTER (WHERE w.state = 'scheduled') AS scheduled,
                  count(*) FILTER (WHERE w.state = 'retrying') AS retrying
             FROM (SELECT j.state
                     FROM generate_series(0, 9) AS level (priority)
                    CROSS JOIN LATERAL (
                          SELECT j.state FROM jobs_live j
                           WHERE j.lane = p.lane AND j.priority = level.priority::smallint AND j.merchant_id = p.merchant_id
                             AND j.queue = p.name AND j.state IN ('scheduled', 'retrying') AND j.run_at <= statement_timestamp()
                             AND (SELECT c.token FROM claims c
                                   WHERE c.merchant_id = j.merchant_id AND c.job_id = j.id) IS NULL
                           ORDER BY j.run_at, j.id LIMIT $5) j
                    LIMIT $5) w) due
     CROSS JOIN LATERAL (
           SELECT count(*) FILTER (WHERE w.state = 'scheduled') AS scheduled,
                  count(*) FILTER (WHERE w.state = 'retrying') AS retrying
             FROM (SELECT j.state
                     FROM generate_series(0, 9) AS level (priority)
                    CROSS JOIN LATERAL (
                          SELECT j.state FROM jobs_live j
                           WHERE j.lane = p.lane AND j.priority = level.priority::smallint AND j.merchant_id = p.merchant_id
                             AND j.queue = p.name AND j.state IN ('scheduled', 'retrying') AND j.run_at > statement_timestamp()
                             AND (SELECT c.token FROM claims c
                                   WHERE c.merchant_id = j.merchant_id AND c.job_id = j.id) IS NULL
                           ORDER BY j.run_at, j.id LIMIT $5) j
                    LIMIT $5) w) later
     CROSS JOIN LATERAL (
           SELECT min(first.run_at) AS run_at
             FROM generate_series(0, 9) AS level (priority)
            CROSS JOIN LATERAL (
                  SELECT j.run_at FROM jobs_live j
                   WHERE j.lane = p.lane AND j.priority = level.priority::smallint AND j.merchant_id = p.merchant_id
                     AND j.queue = p.name AND j.state IN ('scheduled', 'retrying') AND j.run_at <= statement_timestamp()
                     AND (SELECT c.token FROM claims c WHERE c.merchant_id = j.merchant_id AND c.job_id = j.id) IS NULL
                   ORDER BY j.run_at, j.id LIMIT 1) first) oldest
      LEFT JOIN running ON running.queue = p.name
      LEFT JOIN blocked ON blocked.queue = p.name
      LEFT JOIN failed ON failed.queue = p.name
     ORDER BY p.name";

/// While statistics call the jobs few, reading all of a merchant's and sorting them would seem cheaper than the index.
const NO_SORTING: &str = "SELECT set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true)";

/// Jobs that are counted for one page of queues, and where counting stops for each.
const COUNTED: usize = 100_000;
const COUNTED_OF_EACH: std::ops::RangeInclusive<usize> = 1_000..=10_000;

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
        self.count_queues(merchant, after, rows, None).await
    }

    /// One queue.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn queue(&self, merchant: MerchantId, name: &str) -> StoreResult<Option<Queue>> {
        Ok(self.count_queues(merchant, None, 1, Some(name)).await?.pop())
    }

    async fn count_queues(
        &self,
        merchant: MerchantId,
        after: Option<&str>,
        rows: usize,
        name: Option<&str>,
    ) -> StoreResult<Vec<Queue>> {
        let most = (COUNTED / rows.max(1)).clamp(*COUNTED_OF_EACH.start(), *COUNTED_OF_EACH.end());
        self.pool()
            .within(async {
                let mut transaction = self.pool().begin().await?;
                plan_by_key(&mut transaction).await?;
                sqlx::query(NO_SORTING).execute(&mut *transaction).await?;
                let rows = sqlx::query(QUEUES)
                    .bind(merchant.0)
                    .bind(after)
                    .bind(row_limit(rows))
                    .bind(name)
                    .bind(row_limit(most))
                    .fetch_all(&mut *transaction)
                    .await?;
                transaction.rollback().await?;
                rows.into_iter().map(Queue::try_from).collect()
            })
            .await
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
