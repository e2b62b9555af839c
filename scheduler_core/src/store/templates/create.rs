//! Creating templates.

use super::change::read_again;
use super::job_columns::json;
use super::keyed::{Keyed, answer, take};
use super::row::{TemplateRow, record_version, template_columns};
use crate::domain::{MerchantId, Template, TemplateId, TemplateSpec};
use crate::schedule::Schedule;
use crate::store::calendars::links::link;
use crate::store::idempotency::KeyHolder;
use crate::store::materialise::plan_anew;
use crate::store::{Store, StoreResult};
use chrono::{DateTime, SubsecRound, Utc};
use sqlx::PgConnection;

/// A template to be created.
pub struct NewTemplate<'a> {
    /// Whose it will be.
    pub merchant: MerchantId,
    /// The definition; validated.
    pub spec: &'a TemplateSpec,
    /// Its schedule, parsed.
    pub schedule: &'a Schedule,
    /// The present, by the database's clock.
    pub now: DateTime<Utc>,
    /// The request's idempotency key and what to answer.
    pub key: Option<Keyed<'a, Template>>,
}

/// What became of a creation.
#[derive(Clone, Debug)]
pub enum TemplateCreated {
    /// It is there, in version 1.
    Created(Box<Template>),
    /// The idempotency key was used before.
    KeyTaken(KeyHolder),
    /// Another template of the merchant has the name. The idempotency key stays free.
    NameTaken,
    /// The schedule names calendars that do not exist: these. The idempotency key stays free.
    UnknownCalendars(Vec<String>),
}

const INSERT: &str = concat!(
    "WITH made AS (
        INSERT INTO templates (merchant_id, id, name, version, active, schedule, job, overlap, policies, cursor_at,
                               next_at, created_at, updated_at)
        VALUES ($1, $2, $3, 1, $4, $5, $6, $7, $10, $8, $9, $8, $8)
        ON CONFLICT (merchant_id, name) WHERE deleted_at IS NULL DO NOTHING
        RETURNING *
    ), version AS (",
    record_version!("made"),
    ") SELECT ",
    template_columns!(),
    " FROM made"
);

impl Store {
    /// Creates a template in version 1. Its first occurrence is the first one after `now`.
    ///
    /// # Errors
    /// When the database does not do it. After an error of the class `Unknown` it may be there; its name tells.
    pub async fn create_template(&self, new: &NewTemplate<'_>) -> StoreResult<TemplateCreated> {
        self.pool()
            .within(async {
                let mut transaction = self.pool().begin().await?;
                if let Some(holder) = take(&mut transaction, new.merchant, &new.key).await? {
                    transaction.rollback().await?;
                    return Ok(TemplateCreated::KeyTaken(holder));
                }
                let Some(row) = insert(&mut transaction, new).await? else {
                    transaction.rollback().await?;
                    return Ok(TemplateCreated::NameTaken);
                };
                if let Err(missing) = link(&mut transaction, row.merchant_id, row.id, new.schedule).await? {
                    transaction.rollback().await?;
                    return Ok(TemplateCreated::UnknownCalendars(missing));
                }
                // Nothing is planned yet; this finds when it is first due.
                plan_anew(&mut transaction, &row, &[], row.cursor_at, row.cursor_at).await?;
                let row = read_again(&mut transaction, row).await?;
                let template = Template::from(row);
                answer(&mut transaction, new.merchant, &new.key, &template).await?;
                transaction.commit().await?;
                Ok(TemplateCreated::Created(Box::new(template)))
            })
            .await
    }
}

/// Writes the template and its first version; `None` when the name is taken.
async fn insert(connection: &mut PgConnection, new: &NewTemplate<'_>) -> StoreResult<Option<TemplateRow>> {
    // The database keeps microseconds; the anchor `start` must be the same before and after it is stored.
    let now = new.now.trunc_subsecs(6);
    let id = TemplateId::new_at(now);
    let row = sqlx::query_as(INSERT)
        .bind(new.merchant.0)
        .bind(id.0)
        .bind(&new.spec.name)
        .bind(new.spec.active)
        .bind(&new.spec.schedule)
        .bind(json(&new.spec.job))
        .bind(new.spec.overlap.as_str())
        .bind(now)
        .bind(new.spec.active.then_some(now))
        .bind(sqlx::types::Json(new.spec.policies()))
        .fetch_optional(connection)
        .await?;
    Ok(row)
}
