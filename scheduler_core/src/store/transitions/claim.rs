//! `scheduled | retrying` → `running`: an executor takes the claims of a batch of jobs.
//!
//! The work is done by the database function `claim_jobs_v3`, in one round trip. Asking again with the same tokens
//! gives the same answers, so a claim whose outcome is unknown (a lost connection) is simply repeated.

use super::overlap::verdict;
use crate::domain::{JobId, MerchantId, SessionId, Target, TemplateId, Token};
use crate::planted::planted;
use crate::store::columns::row_limit;
use crate::store::{Store, StoreError, StoreResult};
use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use sqlx::Row;
use sqlx::postgres::PgRow;
use std::time::Duration;
use uuid::Uuid;

/// A claim, or the wish for one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClaimKey {
    /// Whose job.
    pub merchant: MerchantId,
    /// Which job.
    pub job: JobId,
    /// Fencing token, made by the claimer.
    pub token: Token,
}

/// What a claim was answered for one job.
#[derive(Debug)]
pub enum ClaimAnswer {
    /// The job is ours to run.
    Granted(Box<Granted>),
    /// It is not due yet; ask again after `due_in`.
    NotDue {
        /// Time until it is due, by the database's clock.
        due_in: Duration,
    },
    /// Its queue is paused.
    Paused,
    /// Other jobs of its template are in its way.
    Overlap,
    /// A concurrency cap of the job is full.
    OverCap,
    /// Somebody else holds its claim.
    Taken,
    /// It is finished, failed, blocked, past its start deadline, or never was.
    Gone,
}

/// One answer, with the claim that it is about.
#[derive(Debug)]
pub struct Claimed {
    /// What was asked for.
    pub key: ClaimKey,
    /// What came of it.
    pub answer: ClaimAnswer,
}

/// A job that may be run.
#[derive(Debug)]
pub struct Granted {
    /// The claim.
    pub key: ClaimKey,
    /// Number of the attempt, from 1.
    pub attempt: i32,
    /// Attempts that may fail in all.
    pub max_attempts: i32,
    /// Attempts that ended because their executor vanished.
    pub crashes: i32,
    /// Somebody called the job off: it must not be started.
    pub cancel_requested: bool,
    /// Longest time that the attempt may take.
    pub timeout: Duration,
    /// 0 goes first, 9 last.
    pub priority: i16,
    /// When it may start.
    pub run_at: DateTime<Utc>,
    /// Time from the database's answer until `run_at`; zero when it is due.
    pub due_in: Duration,
    /// The time that was asked for.
    pub scheduled_for: DateTime<Utc>,
    /// The template it comes from.
    pub template_id: Option<TemplateId>,
    /// The merchant's queue.
    pub queue: String,
    /// The pool of executors.
    pub lane: String,
    /// W3C trace context of the job's creation.
    pub traceparent: Option<String>,
    /// What to do. An error means that the row is corrupt: the attempt has to fail with it.
    pub work: Result<Work, StoreError>,
}

/// What an attempt does, and with what.
#[derive(Debug)]
pub struct Work {
    /// What to do.
    pub target: Target,
    /// What to do it with.
    pub payload: Option<Box<RawValue>>,
}

impl Store {
    /// Claims jobs for a session; needs a store with [`crate::store::StoreRole::Claims`].
    ///
    /// `ahead` is how long before its `run_at` a job may be granted; the holder waits out `due_in`. No answers to a
    /// non-empty batch means that the session is lost.
    pub async fn claim(&self, session: SessionId, wanted: &[ClaimKey], ahead: Duration) -> StoreResult<Vec<Claimed>> {
        let ahead = if planted("early_by_local_clock") { Duration::from_secs(2) } else { ahead };
        let column = |part: fn(&ClaimKey) -> Uuid| wanted.iter().map(part).collect::<Vec<_>>();
        let rows = sqlx::query(
            "SELECT o_merchant_id, o_job_id, o_token, o_answer, o_due_in_us, o_attempt, o_max_attempts, o_timeout_ms,
                    o_priority, o_run_at, o_scheduled_for, o_template_id, o_queue, o_lane, o_target, o_payload,
                    o_traceparent, o_crashes, o_cancel_requested
               FROM claim_jobs_v3($1, $2, $3, $4, make_interval(secs => $5))",
        )
        .bind(session.0)
        .bind(column(|key| key.merchant.0))
        .bind(column(|key| key.job.0))
        .bind(column(|key| key.token.0))
        .bind(ahead.as_secs_f64())
        .fetch_all(self.pool())
        .await?;
        rows.iter().map(read_answer).collect()
    }

    /// Due jobs of a lane that nobody has claimed: what to claim without Redis. Strict priority; within a priority the
    /// merchants' queues take turns. `overdue_by` leaves out what fell due more recently than that.
    ///
    /// Only candidates: the claim decides.
    pub async fn due_candidates(
        &self,
        lane: &str,
        overdue_by: Duration,
        limit: usize,
    ) -> StoreResult<Vec<(MerchantId, JobId)>> {
        let rows = sqlx::query(DUE_CANDIDATES)
            .bind(lane)
            .bind(overdue_by.as_secs_f64())
            .bind(row_limit(limit))
            // Planned anew each time: a plan from the time when the table was empty would scan it whole.
            .persistent(false)
            .fetch_all(self.pool())
            .await?;
        rows.iter().map(|row| Ok((MerchantId(row.try_get(0)?), JobId(row.try_get(1)?)))).collect()
    }
}

/// `heads` jumps through the index of due jobs from one (priority, merchant, queue) to the next, so that the cost
/// depends on how many queues have work and not on how much work they have.
const DUE_CANDIDATES: &str = concat!(
    "
    WITH RECURSIVE heads AS (
        (SELECT priority, merchant_id, queue
           FROM jobs_live
          WHERE lane = $1 AND state IN ('scheduled', 'retrying')
          ORDER BY priority, merchant_id, queue LIMIT 1)
        UNION ALL
        SELECT next.priority, next.merchant_id, next.queue
          FROM heads h
         CROSS JOIN LATERAL (
               SELECT j.priority, j.merchant_id, j.queue
                 FROM jobs_live j
                WHERE j.lane = $1 AND j.state IN ('scheduled', 'retrying')
                  AND (j.priority, j.merchant_id, j.queue) > (h.priority, h.merchant_id, h.queue)
                ORDER BY j.priority, j.merchant_id, j.queue LIMIT 1) next
    ), open AS (
        SELECT h.* FROM heads h
         WHERE (SELECT q.paused_at IS NOT NULL
                       OR CASE WHEN q.concurrency IS NOT NULL OR q.merchant_concurrency IS NOT NULL
                               THEN 0 >= ANY (cap_rooms_v1(q.merchant_id, q.name,
                                              caps_of_v1(q.name, NULL, NULL, NULL, q.concurrency,
                                                         q.merchant_concurrency), NULL)) END
                  FROM queues q WHERE q.merchant_id = h.merchant_id AND q.name = h.queue) IS NOT TRUE
         LIMIT 5000
    )
    SELECT due.merchant_id, due.id
      FROM open o
     CROSS JOIN LATERAL (
           SELECT j.merchant_id, j.id, j.run_at, row_number() OVER (ORDER BY j.run_at, j.id) AS turn
             FROM (SELECT j.* FROM jobs_live j
                    WHERE j.lane = $1 AND j.priority = o.priority AND j.merchant_id = o.merchant_id
                      AND j.queue = o.queue AND j.state IN ('scheduled', 'retrying')
                      AND j.run_at <= statement_timestamp() - make_interval(secs => $2)
                      AND (j.start_deadline_at IS NULL OR j.start_deadline_at > clock_timestamp())
                      AND (SELECT c.token FROM claims c WHERE c.merchant_id = j.merchant_id AND c.job_id = j.id) IS NULL
                    ORDER BY j.run_at, j.id
                    -- So many may be in the way of the others; not a whole backlog.
                    LIMIT 2000) j
            WHERE (",
    verdict!(),
    ") IS NULL
              AND NOT ((j.concurrency_key IS NOT NULL OR j.template_limit IS NOT NULL)
                       AND 0 >= ANY (cap_rooms_v1(j.merchant_id, j.queue,
                                     caps_of_v1(j.queue, j.concurrency_key, j.template_id, j.template_limit, NULL, NULL),
                                     j.template_limit)))
            ORDER BY j.run_at, j.id
            LIMIT greatest(16, $3 / (SELECT nullif(count(*), 0) FROM open))) due
     ORDER BY o.priority, due.turn, due.run_at
     LIMIT $3"
);

fn read_answer(row: &PgRow) -> StoreResult<Claimed> {
    let key =
        ClaimKey { merchant: MerchantId(row.try_get(0)?), job: JobId(row.try_get(1)?), token: Token(row.try_get(2)?) };
    let due_in = || -> StoreResult<Duration> {
        if planted("early_by_local_clock") {
            return Ok(Duration::ZERO);
        }
        Ok(Duration::from_micros(u64::try_from(row.try_get::<i64, _>(4)?).unwrap_or(0)))
    };
    let answer = match row.try_get(3)? {
        "granted" => ClaimAnswer::Granted(Box::new(read_granted(row, key, due_in()?)?)),
        "not_due" => ClaimAnswer::NotDue { due_in: due_in()? },
        "paused" => ClaimAnswer::Paused,
        "overlap" => ClaimAnswer::Overlap,
        "over_cap" => ClaimAnswer::OverCap,
        "taken" => ClaimAnswer::Taken,
        "gone" => ClaimAnswer::Gone,
        other => return Err(StoreError::corrupt("claim_jobs_v3", "o_answer", key.job, other)),
    };
    Ok(Claimed { key, answer })
}

fn read_granted(row: &PgRow, key: ClaimKey, due_in: Duration) -> StoreResult<Granted> {
    Ok(Granted {
        key,
        attempt: row.try_get(5)?,
        max_attempts: row.try_get(6)?,
        timeout: Duration::from_millis(u64::try_from(row.try_get::<i32, _>(7)?).unwrap_or(1)),
        priority: row.try_get(8)?,
        run_at: row.try_get(9)?,
        due_in,
        scheduled_for: row.try_get(10)?,
        template_id: row.try_get::<Option<Uuid>, _>(11)?.map(TemplateId),
        queue: row.try_get(12)?,
        lane: row.try_get(13)?,
        work: read_work(key.job, row.try_get(14)?, row.try_get(15)?),
        traceparent: row.try_get(16)?,
        crashes: row.try_get(17)?,
        cancel_requested: row.try_get(18)?,
    })
}

/// A row that cannot be read must not take the batch down with it, hence a result of its own.
fn read_work(job: JobId, target: &str, payload: Option<String>) -> Result<Work, StoreError> {
    let target = serde_json::from_str(target).map_err(|e| StoreError::corrupt("jobs_live", "target", job, e))?;
    let payload = payload
        .map(RawValue::from_string)
        .transpose()
        .map_err(|e| StoreError::corrupt("jobs_live", "payload", job, e))?;
    Ok(Work { target, payload })
}
