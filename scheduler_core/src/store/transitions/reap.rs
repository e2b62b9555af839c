//! `running` → `retrying | cancelled | dead`: a watcher takes back what lost sessions were running.
//!
//! Losing a session and taking its claims are two steps. The first needs judgement ([`Store::declare_lost`]): a
//! session is lost when it has not been renewed for long enough *while the database could be reached*, which the
//! watcher proves with a session of its own ([`Store::renew_watch`]). It is final. The second ([`Store::reap`])
//! decides from row data alone and is therefore safe at any time: a claim may go when its session is lost or was
//! never there.

use super::batch::fetch_batch;
use super::caps::{after_release, release_caps};
use super::claim::ClaimKey;
use super::finish::{finish_into, finish_shared, finish_without_execution};
use super::verdict::Retried;
use crate::domain::{JobId, MerchantId, SessionId};
use crate::planted::bent;
use crate::store::alerts::alert_dead;
use crate::store::columns::{behind, claims, row_limit};
use crate::store::{Store, StoreError, StoreResult};
use chrono::{DateTime, Utc};
use sqlx::Row;
use std::time::Duration;
use uuid::Uuid;

/// A session that has just been declared lost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LostSession {
    /// Which one.
    pub id: SessionId,
    /// Where its process ran.
    pub host: String,
    /// The process.
    pub pid: i32,
    /// Whether it ran jobs. A watcher's session does not.
    pub is_executor: bool,
}

/// How to take claims back.
#[derive(Clone, Copy, Debug)]
pub struct ReapOptions {
    /// A job that has lost more attempts than this is dead.
    pub max_crashes: u32,
    /// The next attempts are spread by chance over this time.
    pub spread: Duration,
}

/// What became of jobs whose claims were taken back.
#[derive(Debug, Default)]
pub struct Reaped {
    /// Those that wait for their next attempt.
    pub retried: Vec<Retried>,
    /// How many were called off and are cancelled now.
    pub cancelled: u64,
    /// How many have lost too many attempts and are dead now.
    pub dead: u64,
    /// Some ended job has others that wait for it.
    pub has_dependents: bool,
    /// Some job gave a place under a concurrency cap back.
    pub released_caps: bool,
}

impl Reaped {
    /// Jobs in all, which is lost attempts in all.
    pub fn jobs(&self) -> u64 {
        self.retried.len() as u64 + self.cancelled + self.dead
    }
}

/// The claim `c` may be taken back: its session is lost, or there is none.
///
/// The nil session stands for keys that are held inside one transaction ([`super::claim_key`]) and never visible; if
/// one is seen all the same it gets a minute's grace.
macro_rules! is_lost {
    () => {
        "(SELECT s.lost_at IS NULL FROM sessions s WHERE s.id = c.session_id) IS NOT TRUE
           AND (c.session_id <> '00000000-0000-0000-0000-000000000000'
                OR c.granted_at < clock_timestamp() - interval '60 seconds')"
    };
}

/// A planted bug: a claim is taken back for its age, whether or not its session lives.
const OLD: &str = "c.granted_at < clock_timestamp() - interval '1 second'";

const LOST_CLAIMS: &str = concat!(
    "SELECT c.merchant_id, c.job_id, c.token
       FROM claims c
      WHERE (c.merchant_id, c.job_id) > ($1, $2) AND ",
    is_lost!(),
    " ORDER BY c.merchant_id, c.job_id
      LIMIT $3"
);

/// What stands as the error of a lost attempt.
macro_rules! vanished {
    () => {
        "'the executor vanished before it reported a result'"
    };
}

/// `locked` passes over claims that a result or another watcher is just taking: they are gone in a moment, or found
/// again by the next sweep. `seen` waits for a cancel that is just being written and sees its outcome.
const REAP: &str = concat!(
    "WITH locked AS (
         SELECT c.merchant_id, c.job_id, c.token, c.session_id, c.granted_at, c.caps
           FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS w (merchant_id, job_id, token)
           JOIN claims c ON c.merchant_id = ANY (ARRAY[w.merchant_id]) AND c.job_id = w.job_id AND c.token = w.token
          WHERE ",
    is_lost!(),
    "     ORDER BY w.merchant_id, w.job_id
            FOR UPDATE OF c SKIP LOCKED
     ), unclaimed AS (
         DELETE FROM claims c USING locked l
          WHERE c.merchant_id = ANY (ARRAY[l.merchant_id]) AND c.job_id = l.job_id AND c.token = l.token
         RETURNING l.*
     ), ",
    release_caps!(),
    ", seen AS (
         SELECT j.merchant_id, j.id, j.attempt, u.token, u.session_id, u.granted_at,
                j.cancel_requested_at IS NOT NULL AS called_off, j.crashes + 1 > $4 AS crashed_out
           FROM unclaimed u JOIN jobs_live j ON j.merchant_id = ANY (ARRAY[u.merchant_id]) AND j.id = u.job_id
          WHERE j.state || '' IN ('scheduled', 'retrying')",
    after_release!(),
    "     ORDER BY u.merchant_id, u.job_id
            FOR UPDATE OF j
     ), recorded AS (
         INSERT INTO executions (merchant_id, job_id, id, session_id, started_at, finished_at, attempt, outcome, error)
         SELECT s.merchant_id, s.id, s.token, s.session_id, least(s.granted_at, clock_timestamp()), clock_timestamp(),
                s.attempt + 1, 'lost', ",
    vanished!(),
    "      FROM seen s
     ), retried AS (
         UPDATE jobs_live j
            SET state = 'retrying', attempt = j.attempt + 1, crashes = j.crashes + 1,
                run_at = clock_timestamp() + make_interval(secs => $5 * random()), last_error = ",
    vanished!(),
    "      FROM seen s
          WHERE j.merchant_id = ANY (ARRAY[s.merchant_id]) AND j.id = s.id AND NOT s.called_off AND NOT s.crashed_out
         RETURNING j.merchant_id, j.id, j.run_at, j.priority, j.lane
     ), gone AS (
         DELETE FROM jobs_live j USING seen s
          WHERE j.merchant_id = ANY (ARRAY[s.merchant_id]) AND j.id = s.id AND (s.called_off OR s.crashed_out)
         RETURNING j.*, s.called_off
     ), finished AS (",
    finish_into!(),
    "    SELECT ",
    finish_shared!(),
    ", clock_timestamp(), g.attempt + 1, g.crashes + 1, NOT g.called_off,
                CASE WHEN g.called_off THEN 'cancelled' ELSE 'dead' END,
                CASE WHEN g.called_off THEN 'cancelled' ELSE 'crashed' END, ",
    vanished!(),
    ", ",
    finish_without_execution!(),
    "      FROM gone g
         RETURNING *
     ), alerted AS (",
    alert_dead!(),
    ")
     SELECT 'retrying', merchant_id, id, run_at, priority, lane, false, EXISTS (SELECT FROM released) FROM retried
      UNION ALL
     SELECT state, merchant_id, id, NULL, NULL, NULL, has_dependents, EXISTS (SELECT FROM released) FROM finished"
);

impl Store {
    /// Renews a watcher's own session: the proof that executors could renew theirs. Answers with the database's time
    /// of the renewal; `None` when the session is lost, as [`Store::renew_session`] says.
    ///
    /// # Errors
    /// When the database does not answer: contact is broken.
    pub async fn renew_watch(&self, id: SessionId, lost_after: Duration) -> StoreResult<Option<DateTime<Utc>>> {
        let renewed = sqlx::query_scalar(
            "UPDATE sessions SET renewed_at = clock_timestamp()
              WHERE id = $1 AND lost_at IS NULL
                AND renewed_at > clock_timestamp() - make_interval(secs => $2)
             RETURNING renewed_at",
        )
        .bind(id.0)
        .bind(lost_after.as_secs_f64())
        .fetch_optional(self.pool())
        .await?;
        Ok(renewed)
    }

    /// Declares the sessions lost that had not been renewed for `lost_after` at the moment `as_of`, a recent time of
    /// the database. Not "now": the statement may be held up while nobody else can renew either.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn declare_lost(&self, as_of: DateTime<Utc>, lost_after: Duration) -> StoreResult<Vec<LostSession>> {
        let rows = sqlx::query(
            "WITH silent AS (
                 SELECT id FROM sessions
                  WHERE lost_at IS NULL AND renewed_at < $1 - make_interval(secs => $2)
                    FOR UPDATE SKIP LOCKED
             )
             UPDATE sessions s SET lost_at = clock_timestamp()
               FROM silent
              WHERE s.id = silent.id AND s.lost_at IS NULL
             RETURNING s.id, s.host, s.pid, cardinality(s.lanes) > 0",
        )
        .bind(as_of)
        .bind(lost_after.as_secs_f64())
        .fetch_all(self.pool())
        .await?;
        let read = |row: &sqlx::postgres::PgRow| -> StoreResult<LostSession> {
            Ok(LostSession {
                id: SessionId(row.try_get(0)?),
                host: row.try_get(1)?,
                pid: row.try_get(2)?,
                is_executor: row.try_get(3)?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Whether some session was lost, or ended, within this time.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn recently_lost(&self, within: Duration) -> StoreResult<bool> {
        let lost = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM sessions WHERE lost_at > clock_timestamp() - make_interval(secs => $1))",
        );
        Ok(lost.bind(within.as_secs_f64()).fetch_one(self.pool()).await?)
    }

    /// One page of claims whose session is lost or missing, in key order, after the given key. Costs a look at every
    /// claim there is.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn lost_claims(&self, after: Option<(MerchantId, JobId)>, limit: usize) -> StoreResult<Vec<ClaimKey>> {
        let (merchant, job) = behind(after);
        let rows: Vec<(Uuid, Uuid, Uuid)> = sqlx::query_as(bent(LOST_CLAIMS, "reap_by_id", is_lost!(), OLD))
            .bind(merchant)
            .bind(job)
            .bind(row_limit(limit))
            .fetch_all(self.pool())
            .await?;
        Ok(claims(rows))
    }

    /// Takes claims back. Each attempt becomes an execution `lost`; its job waits for the next one, or ends: cancelled
    /// if it was called off, dead (with its alert) if it has lost too many. Claims that have changed since they were
    /// read, and claims of living sessions, are passed over; so are those that somebody else is just ending.
    ///
    /// # Errors
    /// When the database does not answer, or refuses the data of some job; nothing was written, except that after
    /// an unknown outcome all of it may have been.
    pub async fn reap(&self, claims: &[ClaimKey], options: &ReapOptions) -> StoreResult<Reaped> {
        let column = |part: fn(&ClaimKey) -> Uuid| claims.iter().map(part).collect::<Vec<_>>();
        let sql = bent(REAP, "reap_by_id", is_lost!(), OLD);
        let sql = bent(sql, "crash_uncounted", "crashes = j.crashes + 1,", "");
        let statement = sqlx::query(sql)
            .bind(column(|key| key.merchant.0))
            .bind(column(|key| key.job.0))
            .bind(column(|key| key.token.0))
            .bind(i32::try_from(options.max_crashes).unwrap_or(i32::MAX))
            .bind(options.spread.as_secs_f64());
        let rows = fetch_batch(self.pool(), statement).await?;
        let mut reaped = Reaped::default();
        for row in &rows {
            match row.try_get(0)? {
                "retrying" => reaped.retried.push(Retried::read(row, 1)?),
                "cancelled" => reaped.cancelled += 1,
                "dead" => reaped.dead += 1,
                other => return Err(StoreError::corrupt("jobs_finished", "state", row.try_get::<Uuid, _>(2)?, other)),
            }
            reaped.has_dependents |= row.try_get::<bool, _>(6)?;
            reaped.released_caps |= row.try_get::<bool, _>(7)?;
        }
        Ok(reaped)
    }

    /// Claims whose session has been lost for more than twice the time after which it counts as lost. Anything but 0
    /// means that nobody reaps.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn overdue_leases(&self, lost_after: Duration) -> StoreResult<u64> {
        let overdue: i64 = sqlx::query_scalar(
            "SELECT count(*)
               FROM claims c LEFT JOIN sessions s ON s.id = c.session_id
              WHERE coalesce(s.lost_at, s.renewed_at + make_interval(secs => $1), c.granted_at)
                    < clock_timestamp() - make_interval(secs => 2 * $1)",
        )
        .bind(lost_after.as_secs_f64())
        .fetch_one(self.pool())
        .await?;
        Ok(overdue.unsigned_abs())
    }
}
