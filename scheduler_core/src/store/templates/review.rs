//! Working off the reviews of templates ([`super::reviews`]).
//!
//! One template a transaction: its reviews are taken, its row is locked, what follows is done, the reviews go. A manager
//! that dies leaves them for the next. Order of locks: reviews, template, claim keys; who ends a job only ever adds a
//! review, which waits for nobody.

use super::change::{TemplateChange, TemplateChanged, change_in, lock, read_again};
use super::replan::replan_locked;
use super::reviews::ReviewKind;
use super::row::{TemplateRow, template_columns};
use crate::domain::timetable::counts_from_ends;
use crate::domain::{AfterCompletion, MerchantId, TemplateId};
use crate::store::materialise::{MaterialisedJob, plan_anew};
use crate::store::{ErrorClass, Store, StoreError, StoreResult};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use std::collections::BTreeSet;
use uuid::Uuid;

/// What one round of reviews did.
#[derive(Debug, Default)]
pub struct Reviewed {
    /// Templates that were looked at.
    pub templates: usize,
    /// Jobs that were planned anew.
    pub jobs: Vec<MaterialisedJob>,
    /// Templates that paused themselves.
    pub paused: Vec<TemplateId>,
    /// Templates that were deleted because their schedule has ended.
    pub deleted: Vec<TemplateId>,
    /// Reviews that could not be done, each with the reason; they are dropped.
    pub broken: Vec<StoreError>,
    /// There may be more to do at once.
    pub more: bool,
}

/// The reviews of the template that has waited longest; those that somebody else works on are passed over.
const TAKE: &str = "
    WITH first AS (
        SELECT merchant_id, template_id FROM template_reviews ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
    ), taken AS (
        SELECT r.id FROM template_reviews r JOIN first f USING (merchant_id, template_id)
         ORDER BY r.id LIMIT 1000 FOR UPDATE OF r SKIP LOCKED
    )
    DELETE FROM template_reviews r USING taken t WHERE r.id = t.id
    RETURNING r.merchant_id, r.template_id, r.kind";

/// Whether the latest jobs of a template since its last change have all become dead letters. What was skipped or called
/// off says nothing about the target, and what a backfill runs nothing about the present.
const FAILING: &str = "
    SELECT count(*) = $4 AND bool_and(state = 'dead')
      FROM (SELECT state FROM jobs_finished
             WHERE merchant_id = $1 AND template_id = $2 AND finished_at > $3 AND state IN ('succeeded', 'dead')
               AND backfill_id IS NULL
             ORDER BY id DESC LIMIT $4) AS latest";

const ALERT: &str = "
    INSERT INTO alert_outbox (id, merchant_id, kind, opens, dedupe_key, body)
    VALUES (gen_random_uuid(), $1, 'template.paused', true, 'template.paused:' || $2::text,
            jsonb_build_object('type', 'template.paused', 'timestamp', $5::timestamptz,
                'data', jsonb_build_object('template_id', $2::uuid, 'merchant_id', $1::uuid, 'name', $3::text,
                                           'reason', $4::text))::text)";

impl Store {
    /// Does the reviews of up to `limit` templates. `now`: the present, by the database's clock.
    ///
    /// # Errors
    /// When the database does not answer; what is not done then is done later.
    pub async fn review_templates(&self, now: DateTime<Utc>, limit: usize) -> StoreResult<Reviewed> {
        let mut reviewed = Reviewed::default();
        while reviewed.templates < limit {
            if !self.review_next(now, &mut reviewed).await? {
                return Ok(reviewed);
            }
            reviewed.templates += 1;
        }
        reviewed.more = true;
        Ok(reviewed)
    }

    /// The reviews of one template; `false` when there are none.
    async fn review_next(&self, now: DateTime<Utc>, reviewed: &mut Reviewed) -> StoreResult<bool> {
        self.pool()
            .within(async {
                let mut transaction = self.pool().begin().await?;
                let taken: Vec<(Uuid, Uuid, String)> = sqlx::query_as(TAKE).fetch_all(&mut *transaction).await?;
                let Some((merchant, template, _)) = taken.first() else {
                    return Ok(false);
                };
                let key = (MerchantId(*merchant), TemplateId(*template));
                let kinds: BTreeSet<ReviewKind> =
                    taken.iter().filter_map(|(.., kind)| ReviewKind::parse(kind)).collect();
                match review(&mut transaction, key, &kinds, now, reviewed).await {
                    Ok(()) => transaction.commit().await?,
                    Err(error)
                        if matches!(error.class(), ErrorClass::Data | ErrorClass::Conflict | ErrorClass::Fatal) =>
                    {
                        transaction.rollback().await?;
                        // Not again and again: what is wrong with the template shows when it is planned, too.
                        let drop =
                            sqlx::query("DELETE FROM template_reviews WHERE merchant_id = $1 AND template_id = $2");
                        drop.bind(merchant).bind(template).execute(self.pool()).await?;
                        reviewed.broken.push(error);
                    }
                    Err(error) => return Err(error),
                }
                Ok(true)
            })
            .await
    }
}

/// Decides from the rows as they are now what follows for one template.
async fn review(
    connection: &mut PgConnection,
    key: (MerchantId, TemplateId),
    kinds: &BTreeSet<ReviewKind>,
    now: DateTime<Utc>,
    reviewed: &mut Reviewed,
) -> StoreResult<()> {
    let Some(row) = lock(connection, key.0, key.1).await? else {
        return Ok(());
    };
    let policies = row.parsed_policies()?;
    if let Some(most) = policies.pause_after_failures
        && kinds.contains(&ReviewKind::Failed)
        && row.active
        && is_failing(connection, &row, most).await?
    {
        let why = format!("its last {most} jobs became dead letters");
        if pause(connection, &row, &why, now).await? {
            reviewed.paused.push(key.1);
        }
        return Ok(());
    }
    let row = count_from_end(connection, row, now).await?;
    if policies.action_after_completion == AfterCompletion::Delete && is_complete(connection, &row).await? {
        change_in(connection, key, None, TemplateChange::Delete, now).await?;
        reviewed.deleted.push(key.1);
        return Ok(());
    }
    if kinds.contains(&ReviewKind::Replan) {
        reviewed.jobs.extend(replan_locked(connection, &row, now).await?);
    }
    Ok(())
}

/// Where the schedule counts from the ends of runs and the last one has ended, the next time is counted from there. While
/// some job of the template is live its end will say so.
async fn count_from_end(
    connection: &mut PgConnection,
    row: TemplateRow,
    now: DateTime<Utc>,
) -> StoreResult<TemplateRow> {
    if !row.active || !counts_from_ends(&row.parsed_schedule()?) || has_live_job(connection, &row).await? {
        return Ok(row);
    }
    let counted: Option<TemplateRow> = sqlx::query_as(concat!(
        "UPDATE templates t SET last_completion_at = f.finished_at, next_at = $3
           FROM (SELECT finished_at FROM jobs_finished
                  WHERE merchant_id = $1 AND template_id = $2 AND reason IS DISTINCT FROM 'template_changed'
                  ORDER BY id DESC LIMIT 1) f
          WHERE t.merchant_id = $1 AND t.id = $2 AND f.finished_at > coalesce(t.last_completion_at, t.created_at)
         RETURNING ",
        template_columns!()
    ))
    .bind(row.merchant_id)
    .bind(row.id)
    .bind(now)
    .fetch_optional(&mut *connection)
    .await?;
    let Some(counted) = counted else {
        return Ok(row);
    };
    plan_anew(connection, &counted, &[], counted.cursor_at, now).await?;
    read_again(connection, counted).await
}

async fn is_failing(connection: &mut PgConnection, row: &TemplateRow, most: i64) -> StoreResult<bool> {
    let failing: Option<bool> = sqlx::query_scalar(FAILING)
        .bind(row.merchant_id)
        .bind(row.id)
        .bind(row.updated_at)
        .bind(most)
        .fetch_one(connection)
        .await?;
    Ok(failing.unwrap_or(false))
}

/// Pauses the template and tells its owner, in one transaction; `false`: it is far behind and its next failure decides.
async fn pause(connection: &mut PgConnection, row: &TemplateRow, why: &str, now: DateTime<Utc>) -> StoreResult<bool> {
    let key = (MerchantId(row.merchant_id), row.template());
    let changed = change_in(connection, key, None, TemplateChange::PauseItself { why }, now).await?;
    if !matches!(changed, TemplateChanged::Done { .. }) {
        return Ok(false);
    }
    let alert = sqlx::query(ALERT).bind(row.merchant_id).bind(row.id).bind(&row.name).bind(why).bind(now);
    alert.execute(connection).await?;
    Ok(true)
}

/// Whether the schedule has ended and every job of the template has.
async fn is_complete(connection: &mut PgConnection, row: &TemplateRow) -> StoreResult<bool> {
    Ok(row.active
        && row.next_at.is_none()
        && !has_live_job(connection, row).await?
        && !has_open_backfill(connection, row).await?)
}

async fn has_open_backfill(connection: &mut PgConnection, row: &TemplateRow) -> StoreResult<bool> {
    let open =
        sqlx::query("SELECT 1 FROM backfills WHERE merchant_id = $1 AND template_id = $2 AND ended_at IS NULL LIMIT 1");
    Ok(open.bind(row.merchant_id).bind(row.id).fetch_optional(connection).await?.is_some())
}

async fn has_live_job(connection: &mut PgConnection, row: &TemplateRow) -> StoreResult<bool> {
    let live: Option<Uuid> = sqlx::query_scalar(
        "SELECT id FROM jobs_live WHERE merchant_id = $1 AND template_id = $2 ORDER BY scheduled_for LIMIT 1",
    )
    .bind(row.merchant_id)
    .bind(row.id)
    .fetch_optional(connection)
    .await?;
    Ok(live.is_some())
}
