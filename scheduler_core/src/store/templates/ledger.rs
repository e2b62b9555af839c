//! The ledger: what became of each nominal time.
//!
//! Most of it are rows. The times of a pause are not: they follow from the version that did not fire ([`super::paused`]),
//! and a list shows both as one.

use super::paused::{Stretch, paused_times};
use crate::domain::{JobId, MerchantId, OccurrenceOutcome, TemplateId};
use crate::store::{Store, StoreError, StoreResult};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

/// One nominal time of a template and what became of it.
#[derive(Clone, PartialEq, Debug)]
pub struct LedgerEntry {
    /// The time.
    pub nominal_at: DateTime<Utc>,
    /// What became of it.
    pub outcome: OccurrenceOutcome,
    /// More than the outcome says.
    pub reason: Option<String>,
    /// The job, if there is one.
    pub job: Option<JobId>,
    /// Where somebody has moved it.
    pub moved_to: Option<DateTime<Utc>>,
    /// The backfill that made its job.
    pub backfill: Option<Uuid>,
    /// The template's version that decided.
    pub version: i32,
    /// When the entry was made; for the times of a pause, the time itself.
    pub created_at: DateTime<Utc>,
    /// How long after the nominal time its job started, the last attempt of it; of one without a job, how late the entry was
    /// made. Nothing as long as the job has not started.
    pub lag: Option<TimeDelta>,
}

/// Which entries a list shows; the latest nominal time comes first.
#[derive(Clone, Debug, Default)]
pub struct LedgerQuery {
    /// The earliest nominal time, inclusive.
    pub from: Option<DateTime<Utc>>,
    /// The latest nominal time, inclusive.
    pub to: Option<DateTime<Utc>>,
    /// Only those before this one: the last of the previous page.
    pub before: Option<DateTime<Utc>>,
    /// The most to return.
    pub limit: i64,
    /// The present: a pause that goes on has times up to here.
    pub now: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct Row {
    nominal_at: DateTime<Utc>,
    outcome: String,
    reason: Option<String>,
    job_id: Option<Uuid>,
    moved_to: Option<DateTime<Utc>>,
    backfill_id: Option<Uuid>,
    version: i32,
    created_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
}

/// Infinities instead of optional conditions: the index (and the pruning of partitions) sees plain bounds.
const LIST: &str = "
    SELECT o.nominal_at, o.outcome, o.reason, o.job_id, o.moved_to, o.backfill_id, o.version, o.created_at,
           coalesce((SELECT c.granted_at FROM claims c WHERE c.merchant_id = o.merchant_id AND c.job_id = o.job_id),
                    (SELECT f.started_at FROM jobs_finished f
                      WHERE f.merchant_id = o.merchant_id AND f.id = o.job_id LIMIT 1)) AS started_at
      FROM occurrences o
     WHERE o.merchant_id = $1 AND o.template_id = $2
       AND o.nominal_at >= coalesce($3, '-infinity'::timestamptz)
       AND o.nominal_at <= coalesce($4, 'infinity'::timestamptz)
       AND o.nominal_at <  coalesce($5, 'infinity'::timestamptz)
     ORDER BY o.nominal_at DESC
     LIMIT $6";

impl Store {
    /// The ledger of a template; `None` when there is no such template, or it is deleted.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list_occurrences(
        &self,
        merchant: MerchantId,
        template: TemplateId,
        query: &LedgerQuery,
    ) -> StoreResult<Option<Vec<LedgerEntry>>> {
        let rows: Vec<Row> = sqlx::query_as(LIST)
            .bind(merchant.0)
            .bind(template.0)
            .bind(query.from)
            .bind(query.to)
            .bind(query.before)
            .bind(query.limit)
            .fetch_all(self.pool())
            .await?;
        let Some(created_at) = self.template_created_at(merchant, template).await? else {
            return Ok(None);
        };
        let limit = usize::try_from(query.limit).unwrap_or(0);
        let full = rows.len() >= limit;
        let recorded: Vec<LedgerEntry> = rows.into_iter().map(|row| entry(template, row)).collect::<Result<_, _>>()?;
        let stretch = Stretch::of(query, recorded.last().filter(|_| full).map(|entry| entry.nominal_at));
        let paused = paused_times(self, merchant, (template, created_at), stretch, limit).await?;
        Ok(Some(merged(recorded, paused, limit)))
    }

    /// What became of one nominal time; `None` when nothing did, or there is no such template.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn occurrence_at(
        &self,
        merchant: MerchantId,
        template: TemplateId,
        at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> StoreResult<Option<LedgerEntry>> {
        let query = LedgerQuery { from: Some(at), to: Some(at), before: None, limit: 1, now };
        Ok(self.list_occurrences(merchant, template, &query).await?.and_then(|mut found| found.pop()))
    }

    async fn template_created_at(
        &self,
        merchant: MerchantId,
        template: TemplateId,
    ) -> StoreResult<Option<DateTime<Utc>>> {
        let created = sqlx::query_scalar(
            "SELECT created_at FROM templates WHERE merchant_id = $1 AND id = $2 AND deleted_at IS NULL",
        );
        Ok(created.bind(merchant.0).bind(template.0).fetch_optional(self.pool()).await?)
    }
}

/// The record of one nominal time, in the caller's transaction.
pub(super) async fn record_at(
    connection: &mut PgConnection,
    merchant: MerchantId,
    template: TemplateId,
    at: DateTime<Utc>,
) -> StoreResult<Option<LedgerEntry>> {
    let row: Option<Row> = sqlx::query_as(LIST)
        .bind(merchant.0)
        .bind(template.0)
        .bind(at)
        .bind(at)
        .bind(None::<DateTime<Utc>>)
        .bind(1_i64)
        .fetch_optional(connection)
        .await?;
    row.map(|row| entry(template, row)).transpose()
}

/// Both, the latest first; what has a row is what the row says.
fn merged(recorded: Vec<LedgerEntry>, paused: Vec<LedgerEntry>, limit: usize) -> Vec<LedgerEntry> {
    let entries = paused.into_iter().chain(recorded);
    let by_time: BTreeMap<DateTime<Utc>, LedgerEntry> = entries.map(|entry| (entry.nominal_at, entry)).collect();
    by_time.into_values().rev().take(limit).collect()
}

fn entry(template: TemplateId, row: Row) -> StoreResult<LedgerEntry> {
    let outcome = OccurrenceOutcome::parse(&row.outcome).ok_or_else(|| {
        StoreError::corrupt("occurrences", "outcome", format!("{template}/{}", row.nominal_at), &row.outcome)
    })?;
    let decided = row.job_id.is_none().then_some(row.created_at);
    Ok(LedgerEntry {
        nominal_at: row.nominal_at,
        outcome,
        reason: row.reason,
        job: row.job_id.map(JobId),
        moved_to: row.moved_to,
        backfill: row.backfill_id,
        version: row.version,
        created_at: row.created_at,
        lag: row.started_at.or(decided).map(|at| (at - row.nominal_at).max(TimeDelta::zero())),
    })
}
