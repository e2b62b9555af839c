//! `blocked` → `scheduled` | `skipped`: judging jobs that wait for others.
//!
//! `job_dependencies` holds what a blocked job *still* waits for. A parent that ended the way its child waits for takes
//! its row with it, so a child without rows is free. That also means that nobody asks later about a parent whose success
//! has long been seen and whose row retention has dropped since. A parent that exists nowhere although its row is still
//! here was removed before anybody judged it: nothing proves that it succeeded, so it counts as finished but not as
//! succeeded.
//!
//! `all_succeeded`: the first parent that ends otherwise skips the child, whatever the others do. `all_finished`: any
//! end will do.
//!
//! Parents announce their end in `parent_endings`, in the transaction that ends them ([`Store::judge_endings`]); a
//! sweep over all blocked jobs ([`Store::ripe_blocked`], [`Store::judge_blocked`]) finds what an announcement missed.

use super::finish::{finish_into, finish_shared, finish_without_execution};
use crate::domain::{JobId, MerchantId};
use crate::store::{Store, StoreResult};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// A job that left `blocked` and may run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unblocked {
    /// Whose job.
    pub merchant: MerchantId,
    /// Which job.
    pub job: JobId,
    /// When it may start.
    pub run_at: DateTime<Utc>,
    /// 0 goes first, 9 last.
    pub priority: u8,
    /// The lane of its queue.
    pub lane: String,
}

/// What came of judging some children.
#[derive(Debug, Default)]
pub struct Judged {
    /// Those that may run now.
    pub unblocked: Vec<Unblocked>,
    /// Those that never will.
    pub skipped: Vec<(MerchantId, JobId)>,
    /// There may be more to judge at once.
    pub more: bool,
}

/// One page of blocked jobs.
#[derive(Debug, Default)]
pub struct BlockedPage {
    /// Those about which something can be decided now.
    pub ripe: Vec<(MerchantId, JobId)>,
    /// Where the next page begins; none: this was the last.
    pub next: Option<(MerchantId, JobId)>,
}

/// Locks the children. Two judges of one child would otherwise each remove one parent's row, each still see the
/// other's, and both leave the child blocked.
const LOCK: &str = "
    SELECT 1
      FROM unnest($1::uuid[], $2::uuid[]) AS k (merchant_id, id)
      JOIN jobs_live j ON j.merchant_id = k.merchant_id AND j.id = k.id
     WHERE j.state = 'blocked'
     ORDER BY j.merchant_id, j.id
       FOR UPDATE OF j";

/// Removes the rows of parents that ended as their child waits for, and those of children that wait no more.
const SETTLE: &str = "
    WITH settled AS (
        SELECT d.merchant_id, d.child_id, d.parent_id
          FROM unnest($1::uuid[], $2::uuid[]) AS k (merchant_id, id)
          JOIN job_dependencies d ON d.merchant_id = k.merchant_id AND d.child_id = k.id
          LEFT JOIN jobs_live c ON c.merchant_id = k.merchant_id AND c.id = k.id AND c.state = 'blocked'
          LEFT JOIN jobs_live p ON p.merchant_id = d.merchant_id AND p.id = d.parent_id
          LEFT JOIN LATERAL (
               -- Looked up only when the parent has ended.
               SELECT f.state FROM jobs_finished f
                WHERE p.id IS NULL AND f.merchant_id = d.merchant_id AND f.id = d.parent_id LIMIT 1) f ON true
         WHERE c.id IS NULL OR (p.id IS NULL AND (f.state = 'succeeded' OR c.run_if = 'all_finished'))
    )
    DELETE FROM job_dependencies d USING settled s
     WHERE d.merchant_id = s.merchant_id AND d.child_id = s.child_id AND d.parent_id = s.parent_id";

const SKIP: &str = concat!(
    "WITH doomed AS (
         SELECT DISTINCT ON (c.merchant_id, c.id) c.merchant_id, c.id,
                'parent ' || d.parent_id || coalesce(' ended as ' || f.state, ' does not exist any more') AS why
           FROM unnest($1::uuid[], $2::uuid[]) AS k (merchant_id, id)
           JOIN jobs_live c ON c.merchant_id = k.merchant_id AND c.id = k.id
                           AND c.state = 'blocked' AND c.run_if = 'all_succeeded'
           JOIN job_dependencies d ON d.merchant_id = c.merchant_id AND d.child_id = c.id
           LEFT JOIN jobs_live p ON p.merchant_id = d.merchant_id AND p.id = d.parent_id
           LEFT JOIN LATERAL (
                SELECT f.state FROM jobs_finished f
                 WHERE p.id IS NULL AND f.merchant_id = d.merchant_id AND f.id = d.parent_id LIMIT 1) f ON true
          WHERE p.id IS NULL AND f.state IS DISTINCT FROM 'succeeded'
          ORDER BY c.merchant_id, c.id, d.parent_id
     ), gone AS (
         DELETE FROM jobs_live j USING doomed w
          WHERE j.merchant_id = w.merchant_id AND j.id = w.id AND j.state = 'blocked'
         RETURNING j.*, w.why
     ), waited AS (
         DELETE FROM job_dependencies d USING gone g WHERE d.merchant_id = g.merchant_id AND d.child_id = g.id
     ) ",
    finish_into!(),
    "SELECT ",
    finish_shared!(),
    ", clock_timestamp(), g.attempt, g.crashes, false, 'skipped', 'dependency_failed', g.why, ",
    finish_without_execution!(),
    " FROM gone g
     RETURNING merchant_id, id"
);

const UNBLOCK: &str = "
    UPDATE jobs_live j
       SET state = 'scheduled', run_at = greatest(j.run_at, clock_timestamp())
      FROM unnest($1::uuid[], $2::uuid[]) AS k (merchant_id, id)
     WHERE j.merchant_id = k.merchant_id AND j.id = k.id AND j.state = 'blocked'
       AND NOT EXISTS (SELECT 1 FROM job_dependencies d WHERE d.merchant_id = j.merchant_id AND d.child_id = j.id)
    RETURNING j.merchant_id, j.id, j.run_at, j.priority, j.lane";

const TAKE_ENDINGS: &str = "
    SELECT merchant_id, parent_id FROM parent_endings
     ORDER BY merchant_id, parent_id LIMIT $1
       FOR UPDATE SKIP LOCKED";

const CHILDREN: &str = "
    SELECT DISTINCT d.merchant_id, d.child_id
      FROM unnest($1::uuid[], $2::uuid[]) AS e (merchant_id, parent_id)
      JOIN job_dependencies d ON d.merchant_id = e.merchant_id AND d.parent_id = e.parent_id
     LIMIT $3";

/// An announcement has done its duty once no row waits for the parent.
const DROP_ENDINGS: &str = "
    DELETE FROM parent_endings p
     USING unnest($1::uuid[], $2::uuid[]) AS e (merchant_id, parent_id)
     WHERE p.merchant_id = e.merchant_id AND p.parent_id = e.parent_id
       AND NOT EXISTS (SELECT 1 FROM job_dependencies d
                        WHERE d.merchant_id = e.merchant_id AND d.parent_id = e.parent_id)";

const RIPE: &str = "
    WITH page AS (
        SELECT merchant_id, id FROM jobs_live
         WHERE state = 'blocked' AND (merchant_id, id) > ($1, $2)
         ORDER BY merchant_id, id LIMIT $3
    )
    SELECT b.merchant_id, b.id,
           NOT EXISTS (SELECT 1 FROM job_dependencies d WHERE d.merchant_id = b.merchant_id AND d.child_id = b.id)
           OR EXISTS (SELECT 1 FROM job_dependencies d
                       WHERE d.merchant_id = b.merchant_id AND d.child_id = b.id
                         AND NOT EXISTS (SELECT 1 FROM jobs_live p
                                          WHERE p.merchant_id = d.merchant_id AND p.id = d.parent_id)) AS ripe
      FROM page b
     ORDER BY b.merchant_id, b.id";

/// Lets those of `children` run that wait for nothing any more. A time that has passed meanwhile becomes now.
/// Runs in the caller's transaction, which should hold the children's rows.
///
/// # Errors
/// When the database does not answer.
pub async fn unblock(
    connection: &mut PgConnection,
    children: &[(MerchantId, JobId)],
) -> StoreResult<Vec<Unblocked>> {
    let (merchants, jobs) = columns(children);
    let rows: Vec<(Uuid, Uuid, DateTime<Utc>, i16, String)> =
        sqlx::query_as(UNBLOCK).bind(merchants).bind(jobs).fetch_all(connection).await?;
    let unblocked = |(merchant, job, run_at, priority, lane)| Unblocked {
        merchant: MerchantId(merchant),
        job: JobId(job),
        run_at,
        priority: u8::try_from(priority).unwrap_or(9),
        lane,
    };
    Ok(rows.into_iter().map(unblocked).collect())
}

/// Skips those of `children` that wait for a success that will not come. `last_error` names the parent.
/// Runs in the caller's transaction.
///
/// # Errors
/// When the database does not answer.
pub async fn skip(
    connection: &mut PgConnection,
    children: &[(MerchantId, JobId)],
) -> StoreResult<Vec<(MerchantId, JobId)>> {
    let (merchants, jobs) = columns(children);
    let rows: Vec<(Uuid, Uuid)> = sqlx::query_as(SKIP).bind(merchants).bind(jobs).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|(merchant, job)| (MerchantId(merchant), JobId(job))).collect())
}

impl Store {
    /// Judges the children of up to `limit` parents whose end was announced, up to `limit` children at a time.
    /// Announcements that another judge works on are passed over.
    ///
    /// # Errors
    /// When the database does not answer; the announcements then stay.
    pub async fn judge_endings(&self, limit: usize) -> StoreResult<Judged> {
        let limit_rows = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut transaction = self.pool().begin().await?;
        let endings: Vec<(Uuid, Uuid)> =
            sqlx::query_as(TAKE_ENDINGS).bind(limit_rows).fetch_all(&mut *transaction).await?;
        if endings.is_empty() {
            return Ok(Judged::default());
        }
        let (merchants, parents): (Vec<_>, Vec<_>) = endings.into_iter().unzip();
        let children: Vec<(Uuid, Uuid)> = sqlx::query_as(CHILDREN)
            .bind(&merchants)
            .bind(&parents)
            .bind(limit_rows)
            .fetch_all(&mut *transaction)
            .await?;
        let children: Vec<_> = children.into_iter().map(|(m, j)| (MerchantId(m), JobId(j))).collect();
        let mut judged = judge(&mut transaction, &children).await?;
        judged.more = children.len() >= limit || parents.len() >= limit || !judged.skipped.is_empty();
        sqlx::query(DROP_ENDINGS).bind(merchants).bind(parents).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(judged)
    }

    /// Judges these jobs as far as they are blocked.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn judge_blocked(&self, children: &[(MerchantId, JobId)]) -> StoreResult<Judged> {
        let mut transaction = self.pool().begin().await?;
        let judged = judge(&mut transaction, children).await?;
        transaction.commit().await?;
        Ok(judged)
    }

    /// Reads up to `limit` blocked jobs, those behind `after`, and says which of them are to be judged: a parent has
    /// ended, or there is none.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn ripe_blocked(&self, after: Option<(MerchantId, JobId)>, limit: usize) -> StoreResult<BlockedPage> {
        let (merchant, job) = after.map_or((Uuid::nil(), Uuid::nil()), |(merchant, job)| (merchant.0, job.0));
        let rows: Vec<(Uuid, Uuid, bool)> = sqlx::query_as(RIPE)
            .bind(merchant)
            .bind(job)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(self.pool())
            .await?;
        let full = rows.len() >= limit;
        let next = rows.last().filter(|_| full).map(|row| (MerchantId(row.0), JobId(row.1)));
        let ripe = rows.into_iter().filter(|row| row.2).map(|row| (MerchantId(row.0), JobId(row.1))).collect();
        Ok(BlockedPage { ripe, next })
    }
}

async fn judge(connection: &mut PgConnection, children: &[(MerchantId, JobId)]) -> StoreResult<Judged> {
    if children.is_empty() {
        return Ok(Judged::default());
    }
    for statement in [LOCK, SETTLE] {
        let (merchants, jobs) = columns(children);
        sqlx::query(statement).bind(merchants).bind(jobs).execute(&mut *connection).await?;
    }
    let skipped = skip(&mut *connection, children).await?;
    let unblocked = unblock(connection, children).await?;
    Ok(Judged { unblocked, skipped, more: false })
}

fn columns(jobs: &[(MerchantId, JobId)]) -> (Vec<Uuid>, Vec<Uuid>) {
    jobs.iter().map(|(merchant, job)| (merchant.0, job.0)).unzip()
}
