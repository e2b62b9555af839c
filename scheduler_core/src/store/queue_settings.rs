//! What a queue may be told: its lane, and how many of its jobs run at once.
//!
//! A limit counts from the answer on, what runs already included: claims that were being granted under the old settings
//! are waited for and then counted too ([`Store::change_queue`]). A lane counts for new jobs from the next look at the
//! queue on, which is a matter of seconds; jobs that exist are moved by [`Store::move_jobs`], a page at a time.

use super::columns::row_limit;
use super::{Store, StoreResult};
use crate::domain::{JobId, MerchantId};
use sqlx::PgConnection;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// What is to change; what is `None` stays as it is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct QueueChange {
    /// The executor pool that serves the queue.
    pub lane: Option<String>,
    /// Jobs of the queue that run at once; `Some(None)`: any number.
    pub concurrency: Option<Option<i32>>,
    /// Jobs with the same `concurrency_key` that run at once.
    pub concurrency_key_limit: Option<i32>,
}

/// What came of a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QueueChanged {
    /// The queue did not exist before.
    pub created: bool,
    /// Some of its jobs may have to move.
    pub moved: bool,
}

/// A queue that has moved, and how far its jobs have followed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MovedQueue {
    /// Whose queue.
    pub merchant: MerchantId,
    /// Its name.
    pub name: String,
    /// Time since the change, by the database's clock.
    pub since: Duration,
}

/// The longest wait for claims that were being granted while a limit was set. They take milliseconds; what takes longer is
/// counted by the next comparison of counters and claims.
const CLAIMS_PATIENCE: Duration = Duration::from_secs(2);
const CLAIMS_LOOK: Duration = Duration::from_millis(10);

const CHANGE: &str = "
    UPDATE queues q
       SET lane = coalesce($3, q.lane),
           lane_changed_at = CASE WHEN $3 <> q.lane THEN clock_timestamp() ELSE q.lane_changed_at END,
           concurrency = CASE WHEN $4 THEN $5 ELSE q.concurrency END,
           concurrency_key_limit = coalesce($6, q.concurrency_key_limit)
      FROM (SELECT lane FROM queues WHERE merchant_id = $1 AND name = $2 FOR UPDATE) AS before
     WHERE q.merchant_id = $1 AND q.name = $2
    RETURNING q.lane <> before.lane";

/// One page of a queue's jobs that are on another lane, found in the order of ids, whatever their state. Rows that
/// somebody is just changing are waited for: by the end of the pass nothing may be left behind.
const MOVE: &str = "
    WITH page AS MATERIALIZED (
        SELECT j.id, j.queue, j.lane FROM jobs_live j
         WHERE j.merchant_id = $1 AND j.id > $3
         ORDER BY j.id LIMIT $4
    ), behind AS (
        SELECT p.id, q.lane
          FROM page p JOIN queues q ON q.merchant_id = $1 AND q.name = $2
         WHERE p.queue = $2 AND p.lane <> q.lane
         ORDER BY p.id
    ), moved AS (
        UPDATE jobs_live j SET lane = b.lane
          FROM behind b
         WHERE j.merchant_id = $1 AND j.id = b.id
        RETURNING j.id
    )
    SELECT (SELECT count(*) FROM moved), (SELECT max(id::text)::uuid FROM page), (SELECT count(*) FROM page)";

impl Store {
    /// Changes a queue's settings, making the queue if it is new. Returns once a new limit is in force for everything that
    /// runs and will run.
    ///
    /// # Errors
    /// When the database does not do it. Doing it again is safe.
    pub async fn change_queue(
        &self,
        merchant: MerchantId,
        name: &str,
        change: &QueueChange,
    ) -> StoreResult<QueueChanged> {
        let changing = async {
            let mut transaction = self.pool().begin().await?;
            let created = make_queue(&mut transaction, merchant, name).await?;
            let moved: bool = sqlx::query_scalar(CHANGE)
                .bind(merchant.0)
                .bind(name)
                .bind(&change.lane)
                .bind(change.concurrency.is_some())
                .bind(change.concurrency.flatten())
                .bind(change.concurrency_key_limit)
                .fetch_one(&mut *transaction)
                .await?;
            transaction.commit().await?;
            Ok((created, moved))
        };
        let (created, moved) = self.pool().within(changing).await?;
        if change.concurrency.flatten().is_some() && !created {
            self.count_running(merchant).await?;
        }
        Ok(QueueChanged { created, moved: moved && !created })
    }

    /// Sets how many jobs of a merchant run at once, all queues together; `None`: any number. Returns whether there is
    /// such a merchant.
    ///
    /// # Errors
    /// When the database does not do it. Doing it again is safe.
    pub async fn set_merchant_concurrency(&self, merchant: MerchantId, limit: Option<i32>) -> StoreResult<bool> {
        let found = self
            .pool()
            .within(async {
                let mut transaction = self.pool().begin().await?;
                let found = sqlx::query("UPDATE merchants SET concurrency = $2 WHERE id = $1")
                    .bind(merchant.0)
                    .bind(limit)
                    .execute(&mut *transaction)
                    .await?;
                // A second statement: a queue that was made meanwhile has waited for the merchant's row, or is seen here.
                sqlx::query(
                    "UPDATE queues SET merchant_concurrency = $2
              WHERE merchant_id = $1 AND merchant_concurrency IS DISTINCT FROM $2",
                )
                .bind(merchant.0)
                .bind(limit)
                .execute(&mut *transaction)
                .await?;
                transaction.commit().await?;
                Ok(found.rows_affected() == 1)
            })
            .await?;
        if limit.is_some() {
            self.count_running(merchant).await?;
        }
        Ok(found)
    }

    /// Whether a living executor serves this lane.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_lane_served(&self, lane: &str) -> StoreResult<bool> {
        let served =
            sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM sessions WHERE lost_at IS NULL AND $1 = ANY (lanes))");
        Ok(served.bind(lane).fetch_one(self.pool()).await?)
    }

    /// Queues whose jobs may not all have followed to the new lane.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn moved_queues(&self) -> StoreResult<Vec<MovedQueue>> {
        let rows: Vec<(Uuid, String, f64)> = sqlx::query_as(
            "SELECT merchant_id, name, extract(epoch FROM clock_timestamp() - lane_changed_at)::float8
               FROM queues WHERE lane_changed_at IS NOT NULL ORDER BY merchant_id, name",
        )
        .fetch_all(self.pool())
        .await?;
        let moved = |(merchant, name, since)| MovedQueue {
            merchant: MerchantId(merchant),
            name,
            since: Duration::try_from_secs_f64(since).unwrap_or_default(),
        };
        Ok(rows.into_iter().map(moved).collect())
    }

    /// Moves a page of the queue's live jobs (running ones included) to its lane, those behind `after`. Returns how many
    /// moved, and where the next page begins: `None` when this was the last.
    ///
    /// # Errors
    /// When the database does not do it. Doing it again is safe.
    pub async fn move_jobs(
        &self,
        merchant: MerchantId,
        queue: &str,
        after: Option<JobId>,
        page: usize,
    ) -> StoreResult<(u64, Option<JobId>)> {
        let (moved, last, read): (i64, Option<Uuid>, i64) = sqlx::query_as(MOVE)
            .bind(merchant.0)
            .bind(queue)
            .bind(after.map_or(Uuid::nil(), |job| job.0))
            .bind(row_limit(page))
            .persistent(false)
            .fetch_one(self.pool())
            .await?;
        let next = last.filter(|_| read >= row_limit(page)).map(JobId);
        Ok((moved.unsigned_abs(), next))
    }

    /// All jobs of the queue have followed. Nothing happens if it has moved again within `since`.
    ///
    /// # Errors
    /// When the database does not do it.
    pub async fn forget_move(&self, merchant: MerchantId, queue: &str, since: Duration) -> StoreResult<()> {
        sqlx::query(
            "UPDATE queues SET lane_changed_at = NULL
              WHERE merchant_id = $1 AND name = $2
                AND lane_changed_at <= clock_timestamp() - make_interval(secs => $3)",
        )
        .bind(merchant.0)
        .bind(queue)
        .bind(since.as_secs_f64())
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// Counts what runs against limits that were committed a moment ago: first waits for the claims that may not have seen
    /// them.
    async fn count_running(&self, merchant: MerchantId) -> StoreResult<()> {
        let (started, before) = (Instant::now(), self.next_transaction().await?);
        while started.elapsed() < CLAIMS_PATIENCE && !self.all_ended_before(&before).await? {
            tokio::time::sleep(CLAIMS_LOOK).await;
        }
        self.adopt_claims(Some(merchant)).await?;
        Ok(())
    }

    async fn next_transaction(&self) -> StoreResult<String> {
        Ok(sqlx::query_scalar("SELECT pg_snapshot_xmax(pg_current_snapshot())::text").fetch_one(self.pool()).await?)
    }

    async fn all_ended_before(&self, transaction: &str) -> StoreResult<bool> {
        let ended = sqlx::query_scalar("SELECT pg_snapshot_xmin(pg_current_snapshot()) >= $1::xid8");
        Ok(ended.bind(transaction).fetch_one(self.pool()).await?)
    }
}

/// Whether the queue is new.
async fn make_queue(connection: &mut PgConnection, merchant: MerchantId, name: &str) -> StoreResult<bool> {
    let made = sqlx::query(
        "INSERT INTO queues (merchant_id, name, merchant_concurrency)
         SELECT $1, $2, (SELECT m.concurrency FROM merchants m WHERE m.id = $1 FOR SHARE)
          WHERE NOT EXISTS (SELECT 1 FROM queues q WHERE q.merchant_id = $1 AND q.name = $2)
         ON CONFLICT DO NOTHING",
    )
    .bind(merchant.0)
    .bind(name)
    .execute(connection)
    .await?;
    Ok(made.rows_affected() == 1)
}
