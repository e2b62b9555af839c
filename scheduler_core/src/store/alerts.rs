//! The outbox of alerts: written in the transaction of what they tell, delivered later, at least once.
//!
//! Who delivers leases an alert first ([`Store::lease_alerts`]): its next attempt moves ahead by the lease, so a
//! deliverer that dies costs that long and nothing else.

use super::columns::row_limit;
use super::{Store, StoreResult};
use crate::domain::MerchantId;
use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::postgres::PgRow;
use std::time::Duration;
use uuid::Uuid;

/// Writes an alert `job.dead` for each dead job among the rows of `finished`, which has the columns of
/// `jobs_finished`; of each incident ([`super::incidents`]) only the first one stays. The payload is the merchant's own and stays out.
macro_rules! alert_dead {
    () => {
        "INSERT INTO alert_outbox (id, merchant_id, kind, opens, dedupe_key, body)
         SELECT gen_random_uuid(), f.merchant_id, 'job.dead', true, k.dedupe_key,
                jsonb_build_object(
                    'type', 'job.dead',
                    'timestamp', f.finished_at,
                    'data', jsonb_build_object(
                        'job_id', f.id, 'merchant_id', f.merchant_id, 'template_id', f.template_id,
                        'queue', f.queue, 'priority', f.priority, 'external_id', f.external_id,
                        'reason', f.reason, 'last_error', left(f.last_error, 2000),
                        'attempts', f.attempt, 'crashes', f.crashes, 'max_attempts', f.max_attempts,
                        'created_at', f.created_at, 'scheduled_for', f.scheduled_for,
                        'finished_at', f.finished_at))::text
           FROM finished f
          CROSS JOIN LATERAL (
                SELECT 'job.dead:' || coalesce('template:' || f.template_id, 'queue:' || f.queue) AS dedupe_key) k
          WHERE f.is_dead
          ORDER BY f.merchant_id, k.dedupe_key"
    };
}

pub(crate) use alert_dead;

/// An alert that this process may try to deliver now.
#[derive(Clone, Debug)]
pub struct LeasedAlert {
    /// Its id, the same at every attempt.
    pub id: Uuid,
    /// Whose alert.
    pub merchant: MerchantId,
    /// What it tells, such as `job.dead`.
    pub kind: String,
    /// What to send: JSON.
    pub body: String,
    /// Number of this attempt, from 1.
    pub attempt: u32,
    /// The database's time of the lease.
    pub leased_at: DateTime<Utc>,
    /// The merchant's own receiver and the secret that signs for it. `None`: the platform's.
    pub receiver: Option<(String, Option<String>)>,
}

/// Which alerts to lease.
#[derive(Clone, Copy, Debug)]
pub struct LeaseOptions<'a> {
    /// Most alerts.
    pub limit: usize,
    /// Most alerts of one merchant, so that one with a slow receiver leaves room for the others.
    pub per_merchant: usize,
    /// Merchants that have enough under way.
    pub except: &'a [MerchantId],
    /// Time for the attempt; after it the alert is due again.
    pub lease: Duration,
}

/// `candidates` is bounded so that a long backlog of one merchant does not cost more than a short one.
const LEASE: &str = "
    WITH candidates AS (
        SELECT id, merchant_id, next_attempt_at
          FROM alert_outbox
         WHERE delivered_at IS NULL AND gave_up_at IS NULL AND next_attempt_at <= statement_timestamp()
           AND merchant_id <> ALL($1)
         ORDER BY next_attempt_at
         LIMIT 1000
    ), ranked AS (
        SELECT id, next_attempt_at,
               row_number() OVER (PARTITION BY merchant_id ORDER BY next_attempt_at, id) AS turn
          FROM candidates
    ), chosen AS (
        SELECT o.id
          FROM ranked r JOIN alert_outbox o ON o.id = ANY (ARRAY[r.id])
         WHERE r.turn <= $2
           -- Looked at again once the row is locked: somebody else may have leased it in between.
           AND coalesce(o.delivered_at, o.gave_up_at) IS NULL AND o.next_attempt_at <= clock_timestamp()
         ORDER BY r.turn, r.next_attempt_at
         LIMIT $3
           FOR UPDATE OF o SKIP LOCKED
    ), leased AS (
        UPDATE alert_outbox o
           SET attempts = o.attempts + 1, next_attempt_at = clock_timestamp() + make_interval(secs => $4)
          FROM chosen c
         WHERE o.id = ANY (ARRAY[c.id])
        RETURNING o.id, o.merchant_id, o.kind, o.body, o.attempts
    )
    SELECT l.id, l.merchant_id, l.kind, l.body, l.attempts, clock_timestamp(), m.alert_url, m.alert_secret
      FROM leased l LEFT JOIN merchants m ON m.id = l.merchant_id";

impl Store {
    /// Leases due alerts. Each attempt counts from here on, whatever becomes of it.
    ///
    /// # Errors
    /// When the database does not answer; what was leased all the same is due again after its lease.
    pub async fn lease_alerts(&self, options: &LeaseOptions<'_>) -> StoreResult<Vec<LeasedAlert>> {
        let except: Vec<Uuid> = options.except.iter().map(|merchant| merchant.0).collect();
        let rows = sqlx::query(LEASE)
            .bind(except)
            .bind(row_limit(options.per_merchant))
            .bind(row_limit(options.limit))
            .bind(options.lease.as_secs_f64())
            .fetch_all(self.pool())
            .await?;
        rows.iter().map(read_leased).collect()
    }

    /// A receiver has taken the alert. Returns whether that was news.
    ///
    /// # Errors
    /// When the database does not answer; the alert will then be delivered once more.
    pub async fn alert_delivered(&self, id: Uuid) -> StoreResult<bool> {
        let done = sqlx::query(
            "UPDATE alert_outbox SET delivered_at = clock_timestamp(), last_error = NULL
              WHERE id = $1 AND delivered_at IS NULL AND gave_up_at IS NULL",
        );
        Ok(done.bind(id).execute(self.pool()).await?.rows_affected() == 1)
    }

    /// The attempt failed; the next one follows after `pause`. Returns `false` when the lease had run out and somebody
    /// else has the alert.
    ///
    /// # Errors
    /// When the database does not answer; the alert is then due again after its lease.
    pub async fn alert_failed(&self, alert: &LeasedAlert, pause: Duration, error: &str) -> StoreResult<bool> {
        let put_off = sqlx::query(
            "UPDATE alert_outbox
                SET next_attempt_at = clock_timestamp() + make_interval(secs => $3), last_error = $4
              WHERE id = $1 AND attempts = $2 AND delivered_at IS NULL AND gave_up_at IS NULL",
        )
        .bind(alert.id)
        .bind(i32::try_from(alert.attempt).unwrap_or(i32::MAX))
        .bind(pause.as_secs_f64())
        .bind(error);
        Ok(put_off.execute(self.pool()).await?.rows_affected() == 1)
    }

    /// There will be no further attempt. Returns `false` when the lease had run out and somebody else has the alert.
    ///
    /// # Errors
    /// When the database does not answer; the alert is then due again after its lease.
    pub async fn alert_given_up(&self, alert: &LeasedAlert, error: &str) -> StoreResult<bool> {
        let closed = sqlx::query(
            "UPDATE alert_outbox SET gave_up_at = clock_timestamp(), last_error = $3
              WHERE id = $1 AND attempts = $2 AND delivered_at IS NULL AND gave_up_at IS NULL",
        )
        .bind(alert.id)
        .bind(i32::try_from(alert.attempt).unwrap_or(i32::MAX))
        .bind(error);
        Ok(closed.execute(self.pool()).await?.rows_affected() == 1)
    }

    /// Deletes alerts that were delivered or given up longer ago than `age`; at most `limit` of them. Returns how many.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn delete_closed_alerts(&self, age: Duration, limit: usize) -> StoreResult<u64> {
        let deleted = sqlx::query(
            "DELETE FROM alert_outbox o
              USING (SELECT id FROM alert_outbox
                      WHERE coalesce(delivered_at, gave_up_at) < clock_timestamp() - make_interval(secs => $1)
                      LIMIT $2
                        FOR UPDATE SKIP LOCKED) AS old
              WHERE o.id = ANY (ARRAY[old.id])",
        )
        .bind(age.as_secs_f64())
        .bind(row_limit(limit));
        Ok(deleted.execute(self.pool()).await?.rows_affected())
    }
}

fn read_leased(row: &PgRow) -> StoreResult<LeasedAlert> {
    let url: Option<String> = row.try_get(6)?;
    let secret: Option<String> = row.try_get(7)?;
    Ok(LeasedAlert {
        id: row.try_get(0)?,
        merchant: MerchantId(row.try_get(1)?),
        kind: row.try_get(2)?,
        body: row.try_get(3)?,
        attempt: u32::try_from(row.try_get::<i32, _>(4)?).unwrap_or(1),
        leased_at: row.try_get(5)?,
        receiver: url.map(|url| (url, secret)),
    })
}
