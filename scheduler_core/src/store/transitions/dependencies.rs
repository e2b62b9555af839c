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

use super::finish::finish_gone;
use crate::domain::{JobId, MerchantId};
use crate::planted::bent;
use crate::store::columns::{behind, key_columns, keys, row_limit};
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

/// What a statement does for each of `k`: the children, in key order.
///
/// All statements here are written so that they cannot be planned as anything but lookups by key (lateral subqueries
/// behind `OFFSET 0`, scalar subqueries, row addresses). These tables swing between empty and full, and a plan that
/// believes them empty would read them whole once for every child. (`state || ''` keeps the index of blocked jobs out.)
/// Such a plan also takes any index that fits at all, so a search by child must not ask for an order by parent, and one
/// by parent (`BETWEEN` and that order, which only the right index has) hides the merchant from the primary key.
macro_rules! children {
    () => {
        "unnest($1::uuid[], $2::uuid[]) AS k (merchant_id, id) "
    };
}

/// The first parent that `k` still waits for.
macro_rules! first_edge {
    () => {
        "(SELECT d.parent_id FROM job_dependencies d WHERE d.merchant_id = k.merchant_id AND d.child_id = k.id LIMIT 1) "
    };
}

/// Every parent that the children wait for, and how it ended (null: it lives). `child` is the address of the blocked
/// row, null when the job is blocked no more.
macro_rules! edges {
    () => {
        concat!(
            "edge AS MATERIALIZED (
                 SELECT k.merchant_id, k.id, d.edge, d.parent_id, c.child, c.run_if,
                        CASE WHEN (SELECT p.state FROM jobs_live p
                                    WHERE p.merchant_id = k.merchant_id AND p.id = d.parent_id) IS NULL
                             THEN coalesce((SELECT f.state FROM jobs_finished f
                                             WHERE f.merchant_id = k.merchant_id AND f.id = d.parent_id LIMIT 1),
                                           'gone')
                        END AS ended
                   FROM ",
            children!(),
            "     CROSS JOIN LATERAL (
                        SELECT d.ctid AS edge, d.parent_id FROM job_dependencies d
                         WHERE d.merchant_id = k.merchant_id AND d.child_id = k.id OFFSET 0) d
                   LEFT JOIN LATERAL (
                        SELECT c.ctid AS child, c.run_if FROM jobs_live c
                         WHERE c.merchant_id = k.merchant_id AND c.id = k.id AND c.state = 'blocked' OFFSET 0) c ON true
             ) "
        )
    };
}

/// Locks the children. Two judges of one child would otherwise each remove one parent's row, each still see the
/// other's, and both leave the child blocked.
const LOCK: &str = concat!(
    "SELECT count(*) FROM ",
    children!(),
    "CROSS JOIN LATERAL (
         SELECT j.id FROM jobs_live j
          WHERE j.merchant_id = k.merchant_id AND j.id = k.id AND j.state = 'blocked' FOR UPDATE) j"
);

/// Removes the rows of parents that ended as their child waits for, and those of children that wait no more.
const SETTLE: &str = concat!(
    "WITH ",
    edges!(),
    "DELETE FROM job_dependencies
      WHERE ctid = ANY (ARRAY(SELECT edge FROM edge
                               WHERE child IS NULL OR ended = 'succeeded'
                                  OR (run_if = 'all_finished' AND ended IS NOT NULL)))"
);

const SKIP: &str = concat!(
    "WITH ",
    edges!(),
    ", doomed AS MATERIALIZED (
         SELECT DISTINCT ON (merchant_id, id) child, merchant_id, id,
                'parent ' || parent_id
                          || CASE ended WHEN 'gone' THEN ' does not exist any more' ELSE ' ended as ' || ended END AS why
           FROM edge
          WHERE run_if = 'all_succeeded' AND ended <> 'succeeded'
          ORDER BY merchant_id, id, parent_id
     ), gone AS (
         DELETE FROM jobs_live
          WHERE ctid = ANY (ARRAY(SELECT child FROM doomed)) AND state || '' = 'blocked'
         RETURNING *
     ), waited AS (
         DELETE FROM job_dependencies
          WHERE ctid = ANY (ARRAY(SELECT e.edge FROM edge e JOIN gone g ON g.merchant_id = e.merchant_id AND g.id = e.id))
     ) ",
    finish_gone!(false, "'skipped'", "'dependency_failed'", "w.why"),
    " JOIN doomed w ON w.merchant_id = g.merchant_id AND w.id = g.id
     RETURNING merchant_id, id"
);

const UNBLOCK: &str = concat!(
    "UPDATE jobs_live
        SET state = 'scheduled', run_at = greatest(run_at, clock_timestamp())
      WHERE state || '' = 'blocked' AND ctid = ANY (ARRAY(
            SELECT c.child FROM ",
    children!(),
    "        CROSS JOIN LATERAL (
                   SELECT j.ctid AS child FROM jobs_live j
                    WHERE j.merchant_id = k.merchant_id AND j.id = k.id AND j.state = 'blocked' OFFSET 0) c
             WHERE ",
    first_edge!(),
    "IS NULL))
     RETURNING merchant_id, id, run_at, priority, lane"
);

const TAKE_ENDINGS: &str = "
    SELECT merchant_id, parent_id FROM parent_endings
     ORDER BY merchant_id, parent_id LIMIT $1
       FOR UPDATE SKIP LOCKED";

const CHILDREN: &str = "
    SELECT DISTINCT e.merchant_id, d.child_id
      FROM unnest($1::uuid[], $2::uuid[]) AS e (merchant_id, parent_id)
     CROSS JOIN LATERAL (
           SELECT d.child_id FROM job_dependencies d
            WHERE (d.merchant_id = e.merchant_id) IS TRUE AND d.parent_id BETWEEN e.parent_id AND e.parent_id
            ORDER BY d.parent_id LIMIT $3) d
     LIMIT $3";

/// An announcement has done its duty once no row waits for the parent.
const DROP_ENDINGS: &str = "
    DELETE FROM parent_endings
     WHERE ctid = ANY (ARRAY(
           SELECT p.ending FROM unnest($1::uuid[], $2::uuid[]) AS e (merchant_id, parent_id)
            CROSS JOIN LATERAL (
                  SELECT p.ctid AS ending FROM parent_endings p
                   WHERE p.merchant_id = e.merchant_id AND p.parent_id = e.parent_id OFFSET 0) p
            WHERE (SELECT d.child_id FROM job_dependencies d
                    WHERE (d.merchant_id = e.merchant_id) IS TRUE AND d.parent_id BETWEEN e.parent_id AND e.parent_id
                    ORDER BY d.parent_id LIMIT 1) IS NULL))";

const RIPE: &str = concat!(
    "WITH page AS MATERIALIZED (
         SELECT merchant_id, id FROM jobs_live
          WHERE state = 'blocked' AND (merchant_id, id) > ($1, $2)
          ORDER BY merchant_id, id LIMIT $3
     )
     SELECT k.merchant_id, k.id,
            ",
    first_edge!(),
    "IS NULL
            OR (SELECT d.parent_id FROM job_dependencies d
                 WHERE d.merchant_id = k.merchant_id AND d.child_id = k.id
                   AND (SELECT p.state FROM jobs_live p
                         WHERE p.merchant_id = d.merchant_id AND p.id = d.parent_id) IS NULL
                 LIMIT 1) IS NOT NULL
       FROM page k
      ORDER BY k.merchant_id, k.id"
);

/// Lets those of `children` run that wait for nothing any more. A time that has passed meanwhile becomes now.
/// Runs in the caller's transaction, which should hold the children's rows.
///
/// # Errors
/// When the database does not answer.
pub async fn unblock(connection: &mut PgConnection, children: &[(MerchantId, JobId)]) -> StoreResult<Vec<Unblocked>> {
    let (merchants, jobs) = key_columns(children);
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
    let (merchants, jobs) = key_columns(children);
    let rows: Vec<(Uuid, Uuid)> = sqlx::query_as(SKIP).bind(merchants).bind(jobs).fetch_all(connection).await?;
    Ok(keys(rows))
}

impl Store {
    /// Judges the children of up to `limit` parents whose end was announced, up to `limit` children at a time.
    /// Announcements that another judge works on are passed over.
    ///
    /// # Errors
    /// When the database does not answer; the announcements then stay.
    pub async fn judge_endings(&self, limit: usize) -> StoreResult<Judged> {
        self.pool()
            .within(async {
                let limit_rows = row_limit(limit);
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
                let children = keys(children);
                let mut judged = judge(&mut transaction, &children).await?;
                judged.more = children.len() >= limit || parents.len() >= limit || !judged.skipped.is_empty();
                sqlx::query(DROP_ENDINGS).bind(merchants).bind(parents).execute(&mut *transaction).await?;
                transaction.commit().await?;
                Ok(judged)
            })
            .await
    }

    /// Judges these jobs as far as they are blocked.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn judge_blocked(&self, children: &[(MerchantId, JobId)]) -> StoreResult<Judged> {
        self.pool()
            .within(async {
                let mut transaction = self.pool().begin().await?;
                let judged = judge(&mut transaction, children).await?;
                transaction.commit().await?;
                Ok(judged)
            })
            .await
    }

    /// Reads up to `limit` blocked jobs, those behind `after`, and says which of them are to be judged: a parent has
    /// ended, or there is none.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn ripe_blocked(&self, after: Option<(MerchantId, JobId)>, limit: usize) -> StoreResult<BlockedPage> {
        let (merchant, job) = behind(after);
        let rows: Vec<(Uuid, Uuid, bool)> =
            sqlx::query_as(RIPE).bind(merchant).bind(job).bind(row_limit(limit)).fetch_all(self.pool()).await?;
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
    let mut children = children.to_vec();
    children.sort_unstable();
    let children = children.as_slice();
    let settle = bent(SETTLE, "child_before_parents", "ended = 'succeeded'", "true");
    for statement in [LOCK, settle] {
        let (merchants, jobs) = key_columns(children);
        sqlx::query(statement).bind(merchants).bind(jobs).execute(&mut *connection).await?;
    }
    let skipped = skip(&mut *connection, children).await?;
    let unblocked = unblock(connection, children).await?;
    Ok(Judged { unblocked, skipped, more: false })
}
