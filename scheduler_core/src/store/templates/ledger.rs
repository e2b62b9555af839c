//! The ledger: what became of each nominal time.

use crate::domain::{JobId, MerchantId, TemplateId};
use crate::store::{Store, StoreResult};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// One nominal time of a template and what became of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LedgerEntry {
    /// The time.
    pub nominal_at: DateTime<Utc>,
    /// `dispatched`, `skipped_overlap` or `missed_window`.
    pub outcome: String,
    /// The job, if there is one.
    pub job: Option<JobId>,
    /// The template's version that decided.
    pub version: i32,
    /// When the entry was made.
    pub created_at: DateTime<Utc>,
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
}

type Row = (DateTime<Utc>, String, Option<Uuid>, i32, DateTime<Utc>);

impl Store {
    /// The ledger of a template; `None` when there is no such template, or it is deleted.
    pub async fn list_occurrences(
        &self,
        merchant: MerchantId,
        template: TemplateId,
        query: &LedgerQuery,
    ) -> StoreResult<Option<Vec<LedgerEntry>>> {
        // Infinities instead of optional conditions: the index (and the pruning of partitions) sees plain bounds.
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT nominal_at, outcome, job_id, version, created_at
               FROM occurrences
              WHERE merchant_id = $1 AND template_id = $2
                AND nominal_at >= coalesce($3, '-infinity'::timestamptz)
                AND nominal_at <= coalesce($4, 'infinity'::timestamptz)
                AND nominal_at <  coalesce($5, 'infinity'::timestamptz)
              ORDER BY nominal_at DESC
              LIMIT $6",
        )
        .bind(merchant.0)
        .bind(template.0)
        .bind(query.from)
        .bind(query.to)
        .bind(query.before)
        .bind(query.limit)
        .fetch_all(self.pool())
        .await?;
        // An empty page says nothing about the template; only then it costs a second look.
        if rows.is_empty() && self.get_template(merchant, template).await?.is_none() {
            return Ok(None);
        }
        Ok(Some(rows.into_iter().map(LedgerEntry::from).collect()))
    }
}

impl From<Row> for LedgerEntry {
    fn from((nominal_at, outcome, job, version, created_at): Row) -> Self {
        Self { nominal_at, outcome, job: job.map(JobId), version, created_at }
    }
}
