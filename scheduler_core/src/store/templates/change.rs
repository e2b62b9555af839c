//! Changing templates: each change is one transaction under the lock of the template's row.
//!
//! 1. What fell due under the present version and has no record yet is recorded under it: an edit loses nothing.
//! 2. Jobs that are not due yet are taken back, with their occurrences.
//! 3. The new version starts from now and is planned as far as the old one was, so that no occurrence waits for a manager.
//!    What stands (running jobs) keeps its record: the ledger's key sees to it that the new version does not record the
//!    same nominal time again.

use super::job_columns::json;
use super::reviews::{ReviewKind, ask_for_review};
use super::row::{TemplateRow, record_version, template_columns};
use super::withdraw::{Scope, withdraw};
use crate::domain::timetable::counts_from_ends;
use crate::domain::{MerchantId, Template, TemplateId, TemplateSpec};
use crate::schedule::Schedule;
use crate::store::backfills::end_those_of;
use crate::store::calendars::links::{link, unlink};
use crate::store::materialise::{Settled, drop_left_out, plan_anew, planned_runs, settle};
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
    /// The same, decided by the template's own policy.
    PauseItself {
        /// The reason, shown until it fires again.
        why: &'a str,
    },
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
    /// The new schedule names calendars that do not exist: these.
    UnknownCalendars(Vec<String>),
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
    policies: serde_json::Value,
    pause_reason: Option<String>,
    /// A schedule that counts from the ends of runs begins anew.
    counted_from: Option<DateTime<Utc>>,
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
        self.pool()
            .within(async {
                let mut transaction = self.pool().begin().await?;
                let changed = change_in(&mut transaction, (merchant, id), if_versions, change, now).await?;
                match changed {
                    TemplateChanged::Done { .. } | TemplateChanged::Behind => transaction.commit().await?,
                    _ => transaction.rollback().await?,
                }
                Ok(changed)
            })
            .await
    }
}

/// [`Store::change_template`] in the caller's transaction, which is to be committed when the change is done or behind, and
/// rolled back otherwise.
pub(super) async fn change_in(
    connection: &mut PgConnection,
    (merchant, id): (MerchantId, TemplateId),
    if_versions: Option<&[i32]>,
    change: TemplateChange<'_>,
    now: DateTime<Utc>,
) -> StoreResult<TemplateChanged> {
    Ok(match lock(connection, merchant, id).await? {
        None => TemplateChanged::NotFound,
        Some(row) if if_versions.is_some_and(|versions| !versions.contains(&row.version)) => {
            TemplateChanged::VersionMismatch { current: row.version }
        }
        Some(row) if change.is_done_already(&row) => {
            TemplateChanged::Done { template: Box::new(row.into()), cancelled: 0 }
        }
        // Versions follow each other in time, whatever the clocks of the instances do: the ledger of a pause is the
        // stretch from one to the next.
        Some(row) => {
            let now = now.trunc_subsecs(6).max(row.updated_at);
            carry_out(connection, row, change, now).await?
        }
    })
}

/// Changes the locked template. What comes back other than done or behind is to be rolled back.
async fn carry_out(
    connection: &mut PgConnection,
    row: TemplateRow,
    change: TemplateChange<'_>,
    now: DateTime<Utc>,
) -> StoreResult<TemplateChanged> {
    let values = change.values(&row, now)?;
    let Settled::Fully { runs } = settle(connection, &row, now).await? else {
        return Ok(TemplateChanged::Behind);
    };
    let runs = (runs - planned_runs(connection, &row, now).await?).max(0);
    let merchant = MerchantId(row.merchant_id);
    let withdrawn = withdraw(connection, merchant, row.template(), change.scope(), now).await?;
    let written = match write(connection, &row, &values, runs, now).await {
        Err(error) if error.constraint() == Some("templates_by_name") => return Ok(TemplateChanged::NameTaken),
        written => written?,
    };
    match change {
        TemplateChange::Replace { schedule, .. } => {
            if let Err(missing) = link(connection, row.merchant_id, row.id, schedule).await? {
                return Ok(TemplateChanged::UnknownCalendars(missing));
            }
        }
        TemplateChange::Delete => {
            unlink(connection, row.merchant_id, row.id).await?;
            end_those_of(connection, merchant, row.template(), now).await?;
        }
        TemplateChange::Pause | TemplateChange::PauseItself { .. } | TemplateChange::Resume => {}
    }
    if values.deleted {
        drop_left_out(connection, &written, now).await?;
    } else {
        wait_for_ends(connection, &written).await?;
        plan_anew(connection, &written, &withdrawn.moved, row.cursor_at, now).await?;
    }
    let template = read_again(connection, written).await?;
    Ok(TemplateChanged::Done { template: Box::new(template.into()), cancelled: withdrawn.cancelled })
}

impl TemplateChange<'_> {
    fn is_done_already(&self, row: &TemplateRow) -> bool {
        match self {
            Self::Pause | Self::PauseItself { .. } => !row.active,
            Self::Resume => row.active,
            Self::Replace { .. } | Self::Delete => false,
        }
    }

    /// Which of the planned jobs go.
    fn scope(&self) -> Scope {
        match self {
            Self::Pause | Self::PauseItself { .. } => Scope::Everything("paused before it started"),
            Self::Delete => Scope::Everything("deleted before it started"),
            Self::Replace { spec, .. } if !spec.active => Scope::Everything("paused before it started"),
            Self::Replace { .. } | Self::Resume => Scope::ToCome,
        }
    }

    fn values(&self, row: &TemplateRow, now: DateTime<Utc>) -> StoreResult<NewValues> {
        let counted_from = |schedule: &Schedule| counts_from_ends(schedule).then_some(now);
        let kept = || NewValues {
            name: row.name.clone(),
            active: row.active,
            schedule: row.schedule.clone(),
            job: row.job.clone(),
            overlap: row.overlap.clone(),
            policies: row.policies.clone(),
            pause_reason: None,
            counted_from: None,
            deleted: false,
        };
        Ok(match self {
            Self::Replace { spec, schedule } => NewValues {
                name: spec.name.clone(),
                active: spec.active,
                schedule: spec.schedule.clone(),
                job: json(&spec.job),
                overlap: spec.overlap.as_str().to_owned(),
                policies: serde_json::to_value(spec.policies()).expect("policies are numbers, names and times"),
                counted_from: counted_from(schedule),
                ..kept()
            },
            Self::Pause => NewValues { active: false, ..kept() },
            Self::PauseItself { why } => NewValues { active: false, pause_reason: Some((*why).to_owned()), ..kept() },
            Self::Resume => NewValues { active: true, counted_from: counted_from(&row.parsed_schedule()?), ..kept() },
            Self::Delete => NewValues { deleted: true, ..kept() },
        })
    }
}

/// Locks a template's row against other changes and against being materialised.
pub(super) async fn lock(
    connection: &mut PgConnection,
    merchant: MerchantId,
    id: TemplateId,
) -> StoreResult<Option<TemplateRow>> {
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

/// Writes the next version of the locked template. When it is next due is for [`plan_anew`] to say.
async fn write(
    connection: &mut PgConnection,
    row: &TemplateRow,
    values: &NewValues,
    runs: i64,
    now: DateTime<Utc>,
) -> StoreResult<TemplateRow> {
    let written: Option<TemplateRow> = sqlx::query_as(concat!(
        "WITH changed AS (
            UPDATE templates
               SET version = version + 1, name = $4, active = $5, schedule = $6, job = $7, overlap = $8,
                   policies = $12, runs = $13, pause_reason = $14,
                   last_completion_at = coalesce($15, last_completion_at), cursor_at = $9, next_at = $10, updated_at = $9, deleted_at = CASE WHEN $11 THEN $9 END
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
    .bind((values.active && !values.deleted).then_some(now))
    .bind(values.deleted)
    .bind(&values.policies)
    .bind(runs)
    .bind(&values.pause_reason)
    .bind(values.counted_from)
    .fetch_optional(connection)
    .await?;
    // The row is locked, so it cannot have changed since it was read.
    written.ok_or_else(|| StoreError::corrupt("templates", "version", row.template(), "changed under its lock"))
}

/// Jobs that were made before the template waited for the ends of its jobs will tell of theirs, too.
async fn wait_for_ends(connection: &mut PgConnection, row: &TemplateRow) -> StoreResult<()> {
    // A paused template may have a definition that cannot be read; resuming it needs one that can.
    if !row.active || !row.definition()?.waits_for_ends() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE jobs_live SET has_dependents = true
          WHERE merchant_id = $1 AND template_id = $2 AND NOT has_dependents",
    )
    .bind(row.merchant_id)
    .bind(row.id)
    .execute(&mut *connection)
    .await?;
    // All of it may have ended already.
    ask_for_review(connection, &[(row.merchant_id, row.id)], ReviewKind::Ended).await
}

/// The locked template after it was planned.
pub(super) async fn read_again(connection: &mut PgConnection, written: TemplateRow) -> StoreResult<TemplateRow> {
    let row =
        sqlx::query_as(concat!("SELECT ", template_columns!(), " FROM templates WHERE merchant_id = $1 AND id = $2"));
    let row = row.bind(written.merchant_id).bind(written.id).fetch_optional(connection).await?;
    Ok(row.unwrap_or(written))
}
