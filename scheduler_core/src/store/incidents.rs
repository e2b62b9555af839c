//! Incidents: opened by the first alert of their key, counted by the next ones, escalated until acknowledged, closed.
//!
//! | from | event | to | by |
//! |---|---|---|---|
//! | – | the first alert of the key | open | the trigger `open_incident`, in the transaction of what is told |
//! | open, acknowledged | another alert of the key | the same, counted | the same |
//! | open | not acknowledged for long | open, an alert `incident.escalated` | [`Store::escalate_incidents`] |
//! | open | somebody looks after it | acknowledged | [`Store::acknowledge_incident`] |
//! | open, acknowledged | it is over | resolved, an alert `incident.resolved` | [`Store::resolve_incident`], [`Store::close_quiet_incidents`] |
//!
//! The row's lock decides races. An alert that comes while its incident is being closed waits, finds no open one, and opens the
//! next. Of an acknowledgement and an escalation whichever is written first counts. When something is due follows
//! from the row's own times, so no restart forgets it; rows are taken with `SKIP LOCKED`, so two watchers never escalate
//! one incident twice.

use super::columns::row_limit;
use super::{Store, StoreError, StoreResult};
use crate::domain::{Incident, MerchantId};
use chrono::{DateTime, Utc};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use std::time::Duration;
use uuid::Uuid;

/// Place of an incident in the order of [`Store::list_incidents`].
pub type IncidentCursor = (DateTime<Utc>, Uuid);

macro_rules! columns {
    () => {
        "i.id, i.dedupe_key, i.kind, i.opened_at, i.last_at, i.alerts, i.escalations, i.acknowledged_at, i.acknowledged_by,
         i.resolved_at, i.resolution"
    };
}

/// An alert about each row of `told`, of the kind `$1`. Sent whatever there is: it opens nothing.
macro_rules! tell {
    () => {
        "INSERT INTO alert_outbox (id, merchant_id, kind, dedupe_key, incident_id, body)
         SELECT gen_random_uuid(), t.merchant_id, $1, t.dedupe_key, t.id,
                jsonb_build_object('type', $1::text, 'timestamp', clock_timestamp(), 'data', jsonb_build_object(
                    'incident_id', t.id, 'merchant_id', t.merchant_id, 'key', t.dedupe_key, 'kind', t.kind,
                    'opened_at', t.opened_at, 'last_at', t.last_at, 'alerts', t.alerts, 'escalations', t.escalations,
                    'acknowledged_by', t.acknowledged_by, 'resolution', t.resolution))::text
           FROM told t"
    };
}

const ESCALATE: &str = concat!(
    "WITH due AS (
         SELECT merchant_id, id FROM incidents
          WHERE resolved_at IS NULL AND acknowledged_at IS NULL AND escalations < $2
            AND coalesce(escalated_at, opened_at) <= clock_timestamp() - make_interval(secs => $3)
          ORDER BY opened_at LIMIT $4
            FOR UPDATE SKIP LOCKED
     ), told AS (
         UPDATE incidents i SET escalations = i.escalations + 1, escalated_at = clock_timestamp()
           FROM due d WHERE i.merchant_id = d.merchant_id AND i.id = d.id
         RETURNING i.*
     ) ",
    tell!()
);

const CLOSE_QUIET: &str = concat!(
    "WITH due AS (
         SELECT merchant_id, id FROM incidents
          WHERE resolved_at IS NULL AND last_at <= clock_timestamp() - make_interval(secs => $2)
          ORDER BY opened_at LIMIT $3
            FOR UPDATE SKIP LOCKED
     ), told AS (
         UPDATE incidents i SET resolved_at = clock_timestamp(), resolution = 'quiet'
           FROM due d WHERE i.merchant_id = d.merchant_id AND i.id = d.id
         RETURNING i.*
     ) ",
    tell!()
);

const RESOLVE: &str = concat!(
    "WITH told AS (
         UPDATE incidents i SET resolved_at = clock_timestamp(), resolution = 'resolved'
          WHERE i.merchant_id = $2 AND i.id = $3 AND i.resolved_at IS NULL
         RETURNING i.*
     ) ",
    tell!()
);

impl Store {
    /// A merchant's incidents, those that were opened last first, behind `after`; at most `rows`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list_incidents(
        &self,
        merchant: MerchantId,
        open: Option<bool>,
        after: Option<IncidentCursor>,
        rows: usize,
    ) -> StoreResult<Vec<Incident>> {
        let rows = sqlx::query(concat!(
            "SELECT ",
            columns!(),
            " FROM incidents i
               WHERE i.merchant_id = $1 AND ($2::boolean IS NULL OR (i.resolved_at IS NULL) = $2)
                 AND ($3::timestamptz IS NULL OR (i.opened_at, i.id) < ($3, $4))
               ORDER BY i.opened_at DESC, i.id DESC LIMIT $5"
        ))
        .bind(merchant.0)
        .bind(open)
        .bind(after.map(|(at, _)| at))
        .bind(after.map(|(_, id)| id))
        .bind(row_limit(rows))
        .fetch_all(self.pool())
        .await?;
        rows.iter().map(read).collect()
    }

    /// One incident.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn incident(&self, merchant: MerchantId, id: Uuid) -> StoreResult<Option<Incident>> {
        let row =
            sqlx::query(concat!("SELECT ", columns!(), " FROM incidents i WHERE i.merchant_id = $1 AND i.id = $2"))
                .bind(merchant.0)
                .bind(id)
                .fetch_optional(self.pool())
                .await?;
        row.as_ref().map(read).transpose()
    }

    /// Somebody looks after an open incident: it does not escalate any more. Doing it again keeps the first time and name;
    /// a resolved one stays as it is. `None`: there is none of this id.
    ///
    /// # Errors
    /// When the database does not do it; doing it again is safe.
    pub async fn acknowledge_incident(
        &self,
        merchant: MerchantId,
        id: Uuid,
        by: Option<&str>,
    ) -> StoreResult<Option<Incident>> {
        let done = sqlx::query(
            "UPDATE incidents SET acknowledged_at = clock_timestamp(), acknowledged_by = $3
              WHERE merchant_id = $1 AND id = $2 AND acknowledged_at IS NULL AND resolved_at IS NULL",
        );
        done.bind(merchant.0).bind(id).bind(by).execute(self.pool()).await?;
        self.incident(merchant, id).await
    }

    /// An incident is over; whoever was told of it is told so. Doing it again changes nothing. `None`: there is none of
    /// this id.
    ///
    /// # Errors
    /// When the database does not do it; doing it again is safe.
    pub async fn resolve_incident(&self, merchant: MerchantId, id: Uuid) -> StoreResult<Option<Incident>> {
        sqlx::query(RESOLVE).bind("incident.resolved").bind(merchant.0).bind(id).execute(self.pool()).await?;
        self.incident(merchant, id).await
    }

    /// Escalates up to `limit` open incidents that nobody has acknowledged for `after`, each at most `most` times. Returns
    /// how many.
    ///
    /// # Errors
    /// When the database does not do it; what was not done is still due.
    pub async fn escalate_incidents(&self, after: Duration, most: u32, limit: usize) -> StoreResult<u64> {
        let told = sqlx::query(ESCALATE)
            .bind("incident.escalated")
            .bind(i32::try_from(most).unwrap_or(i32::MAX))
            .bind(after.as_secs_f64())
            .bind(row_limit(limit));
        Ok(told.execute(self.pool()).await?.rows_affected())
    }

    /// Closes up to `limit` open incidents of which nothing has been heard for `quiet`. Returns how many.
    ///
    /// # Errors
    /// When the database does not do it; what was not done is still due.
    pub async fn close_quiet_incidents(&self, quiet: Duration, limit: usize) -> StoreResult<u64> {
        let told = sqlx::query(CLOSE_QUIET).bind("incident.resolved").bind(quiet.as_secs_f64()).bind(row_limit(limit));
        Ok(told.execute(self.pool()).await?.rows_affected())
    }

    /// Deletes up to `limit` incidents that were resolved longer ago than `age`. Returns how many.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn delete_resolved_incidents(&self, age: Duration, limit: usize) -> StoreResult<u64> {
        let deleted = sqlx::query(
            "DELETE FROM incidents i
              USING (SELECT merchant_id, id FROM incidents
                      WHERE resolved_at < clock_timestamp() - make_interval(secs => $1)
                      LIMIT $2
                        FOR UPDATE SKIP LOCKED) AS old
              WHERE i.merchant_id = old.merchant_id AND i.id = old.id",
        );
        Ok(deleted.bind(age.as_secs_f64()).bind(row_limit(limit)).execute(self.pool()).await?.rows_affected())
    }
}

fn read(row: &PgRow) -> StoreResult<Incident> {
    let acknowledged_at: Option<DateTime<Utc>> = row.try_get("acknowledged_at")?;
    let resolved_at: Option<DateTime<Utc>> = row.try_get("resolved_at")?;
    let state = match (acknowledged_at, resolved_at) {
        (_, Some(_)) => "resolved",
        (Some(_), None) => "acknowledged",
        (None, None) => "open",
    };
    let read = || -> Result<Incident, sqlx::Error> {
        Ok(Incident {
            id: row.try_get("id")?,
            key: row.try_get("dedupe_key")?,
            kind: row.try_get("kind")?,
            state,
            opened_at: row.try_get("opened_at")?,
            last_at: row.try_get("last_at")?,
            alerts: row.try_get("alerts")?,
            escalations: row.try_get("escalations")?,
            acknowledged_at,
            acknowledged_by: row.try_get("acknowledged_by")?,
            resolved_at,
            resolution: row.try_get("resolution")?,
        })
    };
    read().map_err(StoreError::from)
}
