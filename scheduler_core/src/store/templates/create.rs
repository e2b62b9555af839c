//! Creating templates.

use super::job_columns::json;
use super::row::{TemplateRow, template_columns};
use crate::domain::{MerchantId, Template, TemplateId, TemplateSpec};
use crate::schedule::{EvalContext, Schedule};
use crate::store::{Store, StoreResult};
use chrono::{DateTime, SubsecRound, Utc};
use sqlx::PgConnection;

/// A template to be created.
#[derive(Clone, Copy, Debug)]
pub struct NewTemplate<'a> {
    /// Whose it will be.
    pub merchant: MerchantId,
    /// The definition; validated.
    pub spec: &'a TemplateSpec,
    /// Its schedule, parsed.
    pub schedule: &'a Schedule,
    /// The present, by the database's clock.
    pub now: DateTime<Utc>,
}

/// What became of a creation.
#[derive(Clone, Debug)]
pub enum TemplateCreated {
    /// It is there, in version 1.
    Created(Box<Template>),
    /// Another template of the merchant has the name.
    NameTaken,
}

impl Store {
    /// Creates a template in version 1. Its first occurrence is the first one after `now`.
    pub async fn create_template(&self, new: &NewTemplate<'_>) -> StoreResult<TemplateCreated> {
        let mut connection = self.pool().acquire().await?;
        new.insert(&mut connection).await
    }
}

impl NewTemplate<'_> {
    /// Writes the template and its first version, in one statement.
    pub(super) async fn insert(&self, connection: &mut PgConnection) -> StoreResult<TemplateCreated> {
        // The database keeps microseconds; the anchor `start` must be the same before and after it is stored.
        let now = self.now.trunc_subsecs(6);
        let id = TemplateId::new_at(now);
        let context = EvalContext { start: now, template_id: id.0 };
        let next = self.spec.active.then(|| self.schedule.next_after(now, &context)).flatten();
        let row: Option<TemplateRow> = sqlx::query_as(concat!(
            "WITH made AS (
                INSERT INTO templates (merchant_id, id, name, version, active, schedule, job, overlap, cursor_at, next_at,
                                       created_at, updated_at)
                VALUES ($1, $2, $3, 1, $4, $5, $6, $7, $8, $9, $8, $8)
                ON CONFLICT (merchant_id, name) WHERE deleted_at IS NULL DO NOTHING
                RETURNING *
            ), version AS (
                INSERT INTO template_versions (merchant_id, template_id, version, name, schedule, job, overlap, created_at)
                SELECT merchant_id, id, version, name, schedule, job, overlap, updated_at FROM made
            )
            SELECT ",
            template_columns!(),
            " FROM made"
        ))
        .bind(self.merchant.0)
        .bind(id.0)
        .bind(&self.spec.name)
        .bind(self.spec.active)
        .bind(&self.spec.schedule)
        .bind(json(&self.spec.job))
        .bind(self.spec.overlap.as_str())
        .bind(now)
        .bind(next.map(|occurrence| occurrence.at))
        .fetch_optional(connection)
        .await?;
        Ok(match row {
            Some(row) => TemplateCreated::Created(Box::new(row.into())),
            None => TemplateCreated::NameTaken,
        })
    }
}
