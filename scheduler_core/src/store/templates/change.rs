//! Changing templates: each change is one transaction under the lock of the template's row.
//!
//! 1. What fell due under the present version and has no record yet is recorded under it: an edit loses nothing.
//! 2. Jobs that are not due yet are taken back, with their occurrences.
//! 3. The new version starts from now. What stands (running jobs) keeps its record: the ledger's key sees to it that
//!    the new version does not record the same nominal time again.

use super::job_columns::json;
use super::row::{TemplateRow, record_version, template_columns};
use super::withdraw::withdraw;
use crate::domain::{MerchantId, Template, TemplateId, TemplateSpec};
use crate::schedule::Schedule;
use crate::store::materialise::{Settled, settle};
use crate::store::{Store, StoreError, StoreResult};
use chrono::{DateTime, SubsecRound, Utc};
use sqlx::PgConnection;

/// What to do with a template.
#[derive(Clone, Copy, Debug)]
pub enum TemplateChange<'a> {
    /// A new definition.
    Replace {
        /// The definition; validated.
        spec: &'a TemplateSpec,
        /// Its schedule, parsed.
        schedule: &'a Schedule,
    },
    /// Stop firing. Nothing to do when it does not fire.
    Pause,
    /// Fire again, from now on: what passed meanwhile is not made up for. Nothing to do when it fires.
    Resume,
    /// Remove it; its finished jobs and its ledger stay until their retention ends.
    Delete,
}

/// What became of a change.
#[derive(Clone, Debug)]
pub enum TemplateChanged {
    /// It is done; the template as it is now (as it was, if deleted).
    Done {
        /// The template.
        template: Box<Template>,
        /// Jobs not due yet that were cancelled.
        cancelled: u64,
    },
    /// There is no such template.
    NotFound,
    /// The template has another version than the caller had seen.
    VersionMismatch {
        /// The version it has.
        current: i32,
    },
    /// Another template of the merchant has the new name.
    NameTaken,
    /// So many occurrences are still to be recorded under the present version that the change has to wait; some have
    /// been recorded, so that trying again comes to an end.
    Behind,
}

/// The columns of a template that a change writes.
struct NewValues {
    name: String,
    active: bool,
    schedule: serde_json::Value,
    job: String,
    overlap: String,
    next_at: Option<DateTime<Utc>>,
    deleted: bool,
}

impl Store {
    /// Changes a template. `if_versions`: only when it still has one of these versions. `now`: the present, by the
    /// database's clock.
    pub async fn change_template(
        &self,
        merchant: MerchantId,
        id: TemplateId,
        if_versions: Option<&[i32]>,
        change: TemplateChange<'_>,
        now: DateTime<Utc>,
    ) -> StoreResult<TemplateChanged> {
        let now = now.trunc_subsecs(6);
        let mut transaction = self.pool().begin().await?;
        let changed = match lock(&mut transaction, merchant, id).await? {
            None => TemplateChanged::NotFound,
            Some(row) if if_versions.is_some_and(|versions| !versions.contains(&row.version)) => {
                TemplateChanged::VersionMismatch { current: row.version }
            }
            Some(row) if change.is_done_already(&row) => {
                TemplateChanged::Done { template: Box::new(row.into()), cancelled: 0 }
            }
            Some(row) => carry_out(&mut transaction, row, change, now).await?,
        };
        match changed {
            TemplateChanged::Done { .. } | TemplateChanged::Behind => transaction.commit().await?,
            _ => transaction.rollback().await?,
        }
        Ok(changed)
    }
}

/// Changes the locked template. What comes back other than done or behind is to be rolled back.
async fn carry_out(
    connection: &mut PgConnection,
    row: TemplateRow,
    change: TemplateChange<'_>,
    now: DateTime<Utc>,
) -> StoreResult<TemplateChanged> {
    let values = change.values(&row, now)?;
    if settle(connection, &row, now).await? == Settled::Partly {
        return Ok(TemplateChanged::Behind);
    }
    let cancelled = withdraw(connection, MerchantId(row.merchant_id), row.template(), now).await?;
    match write(connection, &row, &values, now).await {
        Err(error) if error.constraint() == Some("templates_by_name") => Ok(TemplateChanged::NameTaken),
        written => Ok(TemplateChanged::Done { template: Box::new(written?.into()), cancelled }),
    }
}

impl TemplateChange<'_> {
    fn is_done_already(&self, row: &TemplateRow) -> bool {
        match self {
            Self::Pause => !row.active,
            Self::Resume => row.active,
            Self::Replace { .. } | Self::Delete => false,
        }
    }

    fn values(&self, row: &TemplateRow, now: DateTime<Utc>) -> StoreResult<NewValues> {
        let next_after_now = |schedule: &Schedule| schedule.next_after(now, &row.context()).map(|next| next.at);
        let kept = || NewValues {
            name: row.name.clone(),
            active: row.active,
            schedule: row.schedule.clone(),
            job: row.job.clone(),
            overlap: row.overlap.clone(),
            next_at: None,
            deleted: false,
        };
        Ok(match self {
            Self::Replace { spec, schedule } => NewValues {
                name: spec.name.clone(),
                active: spec.active,
                schedule: spec.schedule.clone(),
                job: json(&spec.job),
                overlap: spec.overlap.as_str().to_owned(),
                next_at: spec.active.then(|| next_after_now(schedule)).flatten(),
                deleted: false,
            },
            Self::Pause => NewValues { active: false, ..kept() },
            Self::Resume => NewValues { active: true, next_at: next_after_now(&row.parsed_schedule()?), ..kept() },
            Self::Delete => NewValues { deleted: true, ..kept() },
        })
    }
}

/// Locks a template's row against other changes and against being materialised.
async fn lock(connection: &mut PgConnection, merchant: MerchantId, id: TemplateId) -> StoreResult<Option<TemplateRow>> {
    let row = sqlx::query_as(concat!(
        "SELECT ",
        template_columns!(),
        " FROM templates WHERE merchant_id = $1 AND id = $2 AND deleted_at IS NULL FOR UPDATE"
    ))
    .bind(merchant.0)
    .bind(id.0)
    .fetch_optional(connection)
    .await?;
    Ok(row)
}

/// Writes the next version of the locked template.
async fn write(
    connection: &mut PgConnection,
    row: &TemplateRow,
    values: &NewValues,
    now: DateTime<Utc>,
) -> StoreResult<TemplateRow> {
    let written: Option<TemplateRow> = sqlx::query_as(concat!(
        "WITH changed AS (
            UPDATE templates
               SET version = version + 1, name = $4, active = $5, schedule = $6, job = $7, overlap = $8,
                   cursor_at = $9, next_at = $10, updated_at = $9, deleted_at = CASE WHEN $11 THEN $9 END
             WHERE merchant_id = $1 AND id = $2 AND version = $3 AND deleted_at IS NULL
            RETURNING *
        ), version AS (",
        record_version!("changed"),
        ") SELECT ",
        template_columns!(),
        " FROM changed"
    ))
    .bind(row.merchant_id)
    .bind(row.id)
    .bind(row.version)
    .bind(&values.name)
    .bind(values.active)
    .bind(&values.schedule)
    .bind(&values.job)
    .bind(&values.overlap)
    .bind(now)
    .bind(values.next_at)
    .bind(values.deleted)
    .fetch_optional(connection)
    .await?;
    // The row is locked, so it cannot have changed since it was read.
    written.ok_or_else(|| StoreError::corrupt("templates", "version", row.template(), "changed under its lock"))
}
