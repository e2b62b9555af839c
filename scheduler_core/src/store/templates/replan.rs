//! Planning a template anew without changing it: a calendar or a freeze window has.

use super::change::lock;
use super::reviews::{ReviewKind, ask_for_review};
use super::row::{TemplateRow, template_columns};
use super::withdraw::{Scope, withdraw};
use crate::domain::timetable::counted_from_by;
use crate::domain::{MerchantId, TemplateId};
use crate::store::materialise::{MaterialisedJob, Settled, plan_anew, planned_runs, settle};
use crate::store::{Store, StoreError, StoreResult};
use chrono::{DateTime, SubsecRound as _, Utc};
use sqlx::PgConnection;

impl Store {
    /// Plans anew what is planned and not due yet, by the calendars and freeze windows as they are now. Returns the jobs
    /// that were made; none when the template does not fire, or is not there.
    ///
    /// Ask for it with [`Store::ask_for_replan`] where it may wait: that is remembered whatever happens to the caller.
    ///
    /// # Errors
    /// When the database does not do it, or the template cannot be read.
    pub async fn replan(
        &self,
        merchant: MerchantId,
        template: TemplateId,
        now: DateTime<Utc>,
    ) -> StoreResult<Vec<MaterialisedJob>> {
        self.pool()
            .within(async {
                let mut transaction = self.pool().begin().await?;
                let Some(row) = lock(&mut transaction, merchant, template).await? else {
                    return Ok(Vec::new());
                };
                let jobs = replan_locked(&mut transaction, &row, now).await?;
                transaction.commit().await?;
                Ok(jobs)
            })
            .await
    }

    /// Has the recurrence managers plan these templates anew, within moments.
    ///
    /// # Errors
    /// When the database does not do it.
    pub async fn ask_for_replan(&self, merchant: MerchantId, templates: &[TemplateId]) -> StoreResult<()> {
        self.pool()
            .within(async {
                let keys: Vec<_> = templates.iter().map(|template| (merchant.0, template.0)).collect();
                let mut connection = self.pool().acquire().await?;
                ask_for_review(&mut connection, &keys, ReviewKind::Replan).await
            })
            .await
    }
}

/// [`Store::replan`] of a locked template. One that is far behind is settled a good part of the way and asked for again.
pub(super) async fn replan_locked(
    connection: &mut PgConnection,
    row: &TemplateRow,
    now: DateTime<Utc>,
) -> StoreResult<Vec<MaterialisedJob>> {
    if !row.active {
        return Ok(Vec::new());
    }
    let now = now.trunc_subsecs(6).max(row.updated_at);
    let Settled::Fully { runs } = settle(connection, row, now).await? else {
        ask_for_review(connection, &[(row.merchant_id, row.id)], ReviewKind::Replan).await?;
        return Ok(Vec::new());
    };
    let runs = (runs - planned_runs(connection, row, now).await?).max(0);
    let withdrawn = withdraw(connection, MerchantId(row.merchant_id), row.template(), Scope::ToCome, now).await?;
    let back = set_back(connection, row, runs, now).await?;
    plan_anew(connection, &back, &withdrawn.moved, row.cursor_at, now).await
}

/// The locked template as it was before anything after `now` was planned.
async fn set_back(
    connection: &mut PgConnection,
    row: &TemplateRow,
    runs: i64,
    now: DateTime<Utc>,
) -> StoreResult<TemplateRow> {
    let counted_from = row.last_completion_at.and_then(|base| counted_from_by(&row.parsed_schedule().ok()?, base, now));
    let back: Option<TemplateRow> = sqlx::query_as(concat!(
        "UPDATE templates SET cursor_at = $4, next_at = $4, runs = $5, last_completion_at = coalesce($6, last_completion_at)
          WHERE merchant_id = $1 AND id = $2 AND version = $3
         RETURNING ",
        template_columns!()
    ))
    .bind(row.merchant_id)
    .bind(row.id)
    .bind(row.version)
    .bind(now)
    .bind(runs)
    .bind(counted_from)
    .fetch_optional(connection)
    .await?;
    back.ok_or_else(|| StoreError::corrupt("templates", "version", row.template(), "changed under its lock"))
}
