//! The versions of templates.

use super::row::{raw_json, with_defaults};
use crate::domain::{MerchantId, TemplateId, TemplateVersion};
use crate::store::{Store, StoreResult};
use chrono::{DateTime, Utc};
use serde_json::Value;

/// A row of `template_versions`.
#[derive(sqlx::FromRow)]
struct VersionRow {
    version: i32,
    name: String,
    active: bool,
    schedule: Value,
    job: String,
    overlap: String,
    policies: Value,
    created_at: DateTime<Utc>,
}

/// The versions of a template that is not deleted.
macro_rules! versions {
    ($rest:literal) => {
        concat!(
            "SELECT v.version, v.name, v.active, v.schedule, v.job, v.overlap, v.policies, v.created_at
               FROM template_versions v
               JOIN templates t ON t.merchant_id = v.merchant_id AND t.id = v.template_id AND t.deleted_at IS NULL
              WHERE v.merchant_id = $1 AND v.template_id = $2 ",
            $rest
        )
    };
}

impl From<VersionRow> for TemplateVersion {
    fn from(row: VersionRow) -> Self {
        Self {
            version: row.version,
            name: row.name,
            active: row.active,
            schedule: row.schedule,
            job: raw_json(row.job),
            overlap: row.overlap,
            policies: with_defaults(row.policies),
            created_at: row.created_at,
        }
    }
}

impl Store {
    /// The versions of a template before `before`, the latest first; none when there is no such template, for each has one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list_template_versions(
        &self,
        merchant: MerchantId,
        template: TemplateId,
        before: Option<i32>,
        limit: i64,
    ) -> StoreResult<Vec<TemplateVersion>> {
        let rows: Vec<VersionRow> =
            sqlx::query_as(versions!("AND ($3::int4 IS NULL OR v.version < $3) ORDER BY v.version DESC LIMIT $4"))
                .bind(merchant.0)
                .bind(template.0)
                .bind(before)
                .bind(limit)
                .fetch_all(self.pool())
                .await?;
        Ok(rows.into_iter().map(TemplateVersion::from).collect())
    }

    /// One version of a template.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn template_version(
        &self,
        merchant: MerchantId,
        template: TemplateId,
        version: i32,
    ) -> StoreResult<Option<TemplateVersion>> {
        let row: Option<VersionRow> = sqlx::query_as(versions!("AND v.version = $3"))
            .bind(merchant.0)
            .bind(template.0)
            .bind(version)
            .fetch_optional(self.pool())
            .await?;
        Ok(row.map(TemplateVersion::from))
    }

    /// The version of a template that was in force at a time; none before its creation.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn template_version_at(
        &self,
        merchant: MerchantId,
        template: TemplateId,
        at: DateTime<Utc>,
    ) -> StoreResult<Option<TemplateVersion>> {
        let row: Option<VersionRow> =
            sqlx::query_as(versions!("AND v.created_at <= $3 ORDER BY v.version DESC LIMIT 1"))
                .bind(merchant.0)
                .bind(template.0)
                .bind(at)
                .fetch_optional(self.pool())
                .await?;
        Ok(row.map(TemplateVersion::from))
    }
}
