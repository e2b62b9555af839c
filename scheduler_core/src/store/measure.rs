//! For measurements: very many templates at once, and what recording their occurrences costs at least.
//!
//! Everything belongs to a merchant that is made for the measurement, and goes with it.

use super::templates::job_columns::JobColumns;
use super::{Store, StoreResult};
use crate::domain::{JobId, MerchantId, TemplateSpec};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Templates per statement.
const FILLED_AT_ONCE: i64 = 20_000;
/// Rows per statement.
const REMOVED_AT_ONCE: i64 = 50_000;

const FILL: &str = "
    INSERT INTO templates (merchant_id, id, name, schedule, job, overlap, policies, cursor_at, next_at, found_next_at,
                           created_at, updated_at)
    SELECT $1, gen_random_uuid(), $2 || '-' || n, $3, $4, $5, $6, $7, $8, $8, $7, $7
      FROM generate_series($9::int8, $10::int8) AS n";

/// The rows of occurrences and their jobs as they are written without any thought: no plan, no template, nothing looked up.
const BARE: &str = "
    WITH n AS (
        SELECT * FROM unnest($2::uuid[], $3::uuid[]) AS n (template_id, job_id)
    ), ledger AS (
        INSERT INTO occurrences (merchant_id, template_id, nominal_at, outcome, job_id, version, created_at)
        SELECT $1, template_id, $4, 'dispatched', job_id, 1, $5 FROM n
    )
    INSERT INTO jobs_live (merchant_id, id, template_id, state, run_at, scheduled_for, created_at, priority, max_attempts,
                           timeout_ms, has_dependents, overlap_skip, queue, lane, target, payload)
    SELECT $1, job_id, template_id, 'scheduled', $4, $4, $5, $6, $7, $8, false, true, $9, 'default', $10, $11 FROM n";

impl Store {
    /// Adds `count` templates like `spec`, all of them next due at `next_at`; `prefix` and a number make their names.
    ///
    /// # Errors
    /// When the database does not do it.
    pub async fn fill_templates(
        &self,
        merchant: MerchantId,
        (spec, prefix): (&TemplateSpec, &str),
        count: usize,
        (now, next_at): (DateTime<Utc>, DateTime<Utc>),
    ) -> StoreResult<()> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let mut first = 1;
        while first <= count {
            let last = count.min(first + FILLED_AT_ONCE - 1);
            sqlx::query(FILL)
                .bind(merchant.0)
                .bind(prefix)
                .bind(&spec.schedule)
                .bind(super::templates::job_columns::json(&spec.job))
                .bind(spec.overlap.as_str())
                .bind(sqlx::types::Json(spec.policies()))
                .bind(now)
                .bind(next_at)
                .bind(first)
                .bind(last)
                .execute(self.pool())
                .await?;
            first = last + 1;
        }
        // As autovacuum would in a while.
        sqlx::query("ANALYZE templates").execute(self.pool()).await?;
        Ok(())
    }

    /// Writes `count` occurrences with their jobs in one transaction, for as many templates that do not exist.
    ///
    /// # Errors
    /// When the database does not do it.
    pub async fn insert_bare_occurrences(
        &self,
        merchant: MerchantId,
        spec: &TemplateSpec,
        count: usize,
        (now, at): (DateTime<Utc>, DateTime<Utc>),
    ) -> StoreResult<()> {
        let columns = JobColumns::of(&spec.job);
        sqlx::query(BARE)
            .bind(merchant.0)
            .bind((0..count).map(|_| Uuid::new_v4()).collect::<Vec<_>>())
            .bind((0..count).map(|_| JobId::new_at(now).0).collect::<Vec<_>>())
            .bind(at)
            .bind(now)
            .bind(columns.priority)
            .bind(columns.max_attempts)
            .bind(columns.timeout_ms)
            .bind(&columns.queue)
            .bind(&columns.target)
            .bind(&columns.payload)
            .execute(self.pool())
            .await?;
        Ok(())
    }

    /// Removes the jobs, records and templates of a merchant of a measurement, without a trace.
    ///
    /// # Errors
    /// When the database does not do it; what is left then can be removed again.
    pub async fn remove_measured(&self, merchant: MerchantId) -> StoreResult<()> {
        for table in [
            "DELETE FROM jobs_live WHERE ctid = ANY (ARRAY(SELECT ctid FROM jobs_live WHERE merchant_id = $1 LIMIT $2))",
            "DELETE FROM occurrences_default
              WHERE ctid = ANY (ARRAY(SELECT ctid FROM occurrences_default WHERE merchant_id = $1 LIMIT $2))",
            "DELETE FROM templates WHERE ctid = ANY (ARRAY(SELECT ctid FROM templates WHERE merchant_id = $1 LIMIT $2))",
        ] {
            let delete = || sqlx::query(table).bind(merchant.0).bind(REMOVED_AT_ONCE).execute(self.pool());
            while delete().await?.rows_affected() > 0 {}
        }
        Ok(())
    }
}
