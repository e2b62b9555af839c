//! What is due in a lane, read in fair portions: the populator's view of `jobs_live`.
//!
//! Two reads, both by the index `jobs_live_due`. [`Store::due_units`] jumps from one *unit* (a merchant's queue at one
//! priority) to the next, so its cost depends on how many queues have work and not on how much they have.
//! [`Store::due_rows`] then reads a few rows of each of many units, so that a backlog of one is never in the way of
//! another. Jobs with a claim are passed over by both.
//!
//! Call them on a store with [`crate::store::StoreRole::Results`], whose plans go by key only.

use super::columns::row_limit;
use super::transitions::overlap::{Verdict, verdict};
use super::{Store, StoreResult};
use crate::domain::{JobId, MerchantId};
use chrono::{DateTime, Utc};
use sqlx::Row;
use std::collections::HashMap;
use uuid::Uuid;

/// Names a unit within a lane: one queue of one merchant at one priority.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct UnitKey {
    /// 0 goes first, 9 last.
    pub priority: u8,
    /// Whose queue.
    pub merchant: MerchantId,
    /// The queue's name.
    pub queue: String,
}

/// A unit with at least one live job that nobody has claimed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DueUnit {
    /// Its name.
    pub key: UnitKey,
    /// When its first unclaimed job is due; may lie in the future.
    pub head: DateTime<Utc>,
    /// Whether its queue is paused.
    pub paused: bool,
    /// The concurrency caps of its queue and merchant; none for most.
    pub caps: Vec<CapRoom>,
}

/// How many more jobs may start under a concurrency cap, as its counter stood when it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CapRoom {
    /// The cap's name, unique within its merchant.
    pub cap: String,
    /// Places left; none when it is 0 or less.
    pub room: i32,
}

/// Where to go on reading a unit.
#[derive(Clone, Debug)]
pub struct UnitPosition<'a> {
    /// The unit.
    pub key: &'a UnitKey,
    /// The last row that was read; none: begin at the front.
    pub after: Option<(DateTime<Utc>, JobId)>,
}

/// A job that is due, or will be before long.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DueRow {
    /// Index of its unit in what was asked.
    pub unit: usize,
    /// Which job.
    pub job: JobId,
    /// When it may start.
    pub run_at: DateTime<Utc>,
    /// What it has to do with other jobs of its template in its way; none: it may start.
    pub overlap: Option<Verdict>,
    /// The concurrency caps of its own (key and template); none for most.
    pub caps: Vec<CapRoom>,
}

/// Whether a job is claimed is asked by a scalar subquery on purpose: a join may be turned into a scan of all claims of
/// the merchant, once for each row.
///
/// `unit` walks the index one unit at a time: a row comparison finds the first entry behind the present unit.
const DUE_UNITS: &str = "
    WITH RECURSIVE unit AS (
        (SELECT j.priority, j.merchant_id, j.queue, j.run_at, 1::bigint AS n
           FROM jobs_live j
          WHERE j.lane = $1 AND j.state IN ('scheduled', 'retrying')
            AND (j.priority, j.merchant_id, j.queue) > ($2, $3, $4)
            AND (SELECT c.token FROM claims c WHERE c.merchant_id = j.merchant_id AND c.job_id = j.id) IS NULL
          ORDER BY j.priority, j.merchant_id, j.queue, j.run_at, j.id LIMIT 1)
        UNION ALL
        SELECT next.priority, next.merchant_id, next.queue, next.run_at, u.n + 1
          FROM unit u
         CROSS JOIN LATERAL (
               SELECT j.priority, j.merchant_id, j.queue, j.run_at
                 FROM jobs_live j
                WHERE j.lane = $1 AND j.state IN ('scheduled', 'retrying')
                  AND (j.priority, j.merchant_id, j.queue) > (u.priority, u.merchant_id, u.queue)
                  AND (SELECT c.token FROM claims c WHERE c.merchant_id = j.merchant_id AND c.job_id = j.id) IS NULL
                ORDER BY j.priority, j.merchant_id, j.queue, j.run_at, j.id LIMIT 1) next
         WHERE u.n < $5
    )
    SELECT u.priority, u.merchant_id, u.queue, u.run_at, q.paused_at IS NOT NULL, q.caps,
           CASE WHEN q.caps IS NOT NULL THEN cap_rooms_v1(u.merchant_id, u.queue, q.caps, NULL) END
      FROM unit u
      LEFT JOIN LATERAL (
           SELECT q.paused_at,
                  CASE WHEN q.concurrency IS NOT NULL OR q.merchant_concurrency IS NOT NULL
                       THEN caps_of_v1(q.name, NULL, NULL, NULL, q.concurrency, q.merchant_concurrency) END AS caps
             FROM queues q WHERE q.merchant_id = u.merchant_id AND q.name = u.queue OFFSET 0) q ON true
     ORDER BY u.n";

/// `until` is a parameter and no call of a clock: only then it bounds the index scan.
const DUE_ROWS: &str = concat!(
    "
    SELECT u.n - 1, due.id, due.run_at, due.verdict, due.caps,
           CASE WHEN due.caps IS NOT NULL
                THEN cap_rooms_v1(u.merchant_id, u.queue, due.caps, due.template_limit) END
      FROM unnest($2::smallint[], $3::uuid[], $4::text[], $5::timestamptz[], $6::uuid[])
           WITH ORDINALITY AS u (priority, merchant_id, queue, after_at, after_id, n)
     CROSS JOIN LATERAL (
           SELECT j.id, j.run_at,
                  ",
    verdict!(),
    " AS verdict,
                  j.template_limit,
                  CASE WHEN j.concurrency_key IS NOT NULL OR j.template_limit IS NOT NULL
                       THEN caps_of_v1(j.queue, j.concurrency_key, j.template_id, j.template_limit, NULL, NULL)
                       END AS caps
             FROM jobs_live j
            WHERE j.lane = $1 AND j.priority = u.priority AND j.merchant_id = u.merchant_id AND j.queue = u.queue
              AND j.state IN ('scheduled', 'retrying')
              AND (j.run_at, j.id) > (coalesce(u.after_at, '-infinity'), u.after_id)
              AND j.run_at <= $7
              -- What has missed its deadline is the watcher's.
              AND (j.start_deadline_at IS NULL OR j.start_deadline_at > clock_timestamp())
              AND (SELECT c.token FROM claims c WHERE c.merchant_id = j.merchant_id AND c.job_id = j.id) IS NULL
            ORDER BY j.run_at, j.id
            LIMIT $8) due
     ORDER BY u.n, due.run_at, due.id"
);

impl Store {
    /// Up to `limit` units of a lane with unclaimed jobs, by key, those behind `after`. Fewer than `limit`: these were
    /// the last.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn due_units(&self, lane: &str, after: Option<&UnitKey>, limit: usize) -> StoreResult<Vec<DueUnit>> {
        let rows = sqlx::query(DUE_UNITS)
            .bind(lane)
            .bind(after.map_or(-1, |key| i16::from(key.priority)))
            .bind(after.map_or(Uuid::nil(), |key| key.merchant.0))
            .bind(after.map_or("", |key| key.queue.as_str()))
            .bind(row_limit(limit))
            .fetch_all(self.pool())
            .await?;
        let unit = |row: &sqlx::postgres::PgRow| {
            let key = UnitKey {
                priority: u8::try_from(row.try_get::<i16, _>(0)?).unwrap_or(9),
                merchant: MerchantId(row.try_get(1)?),
                queue: row.try_get(2)?,
            };
            Ok(DueUnit { key, head: row.try_get(3)?, paused: row.try_get(4)?, caps: read_caps(row, 5)? })
        };
        rows.iter().map(unit).collect()
    }

    /// Up to `per_unit` unclaimed jobs of each unit that are due by `until`, in due order, grouped by unit in the order
    /// of `units`. Fewer than `per_unit` of a unit: these were its last.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn due_rows(
        &self,
        lane: &str,
        units: &[UnitPosition<'_>],
        until: DateTime<Utc>,
        per_unit: usize,
    ) -> StoreResult<Vec<DueRow>> {
        let rows = sqlx::query(DUE_ROWS)
            .bind(lane)
            .bind(units.iter().map(|u| i16::from(u.key.priority)).collect::<Vec<_>>())
            .bind(units.iter().map(|u| u.key.merchant.0).collect::<Vec<_>>())
            .bind(units.iter().map(|u| u.key.queue.as_str()).collect::<Vec<_>>())
            .bind(units.iter().map(|u| u.after.map(|(at, _)| at)).collect::<Vec<_>>())
            .bind(units.iter().map(|u| u.after.map_or(Uuid::nil(), |(_, id)| id.0)).collect::<Vec<_>>())
            .bind(until)
            .bind(row_limit(per_unit))
            .fetch_all(self.pool())
            .await?;
        let due = |row: &sqlx::postgres::PgRow| {
            Ok(DueRow {
                unit: usize::try_from(row.try_get::<i64, _>(0)?).unwrap_or(usize::MAX),
                job: JobId(row.try_get(1)?),
                run_at: row.try_get(2)?,
                overlap: row.try_get::<Option<&str>, _>(3)?.and_then(Verdict::parse),
                caps: read_caps(row, 4)?,
            })
        };
        let rows: Vec<DueRow> = rows.iter().map(due).collect::<StoreResult<_>>()?;
        #[cfg(feature = "planted-bugs")]
        let rows = super::planted::beyond_the_cursor(units, rows);
        Ok(rows)
    }

    /// The merchants whose weight is not 1, and their weights.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn merchant_weights(&self) -> StoreResult<HashMap<MerchantId, u32>> {
        let rows: Vec<(Uuid, i32)> =
            sqlx::query_as("SELECT id, weight FROM merchants WHERE weight <> 1").fetch_all(self.pool()).await?;
        Ok(rows.into_iter().map(|(id, weight)| (MerchantId(id), u32::try_from(weight).unwrap_or(1))).collect())
    }
}

/// Names and rooms, two arrays of one length; NULL for who has no caps.
fn read_caps(row: &sqlx::postgres::PgRow, first: usize) -> StoreResult<Vec<CapRoom>> {
    let names: Option<Vec<String>> = row.try_get(first)?;
    let rooms: Option<Vec<i32>> = row.try_get(first + 1)?;
    let pairs = names.into_iter().flatten().zip(rooms.into_iter().flatten());
    Ok(pairs.map(|(cap, room)| CapRoom { cap, room }).collect())
}
