//! Running a template's job now, outside its schedule.

use super::job_columns::JobColumns;
use super::row::{TemplateRow, template_columns};
use crate::domain::{Job, JobId, JobSpec, JobState, MerchantId, TemplateId};
use crate::store::{Store, StoreResult};
use chrono::{DateTime, SubsecRound, Utc};
use sqlx::PgConnection;

/// What became of a trigger.
#[derive(Clone, Debug)]
pub struct Triggered {
    /// The job, due now.
    pub job: Box<Job>,
    /// The lane of its queue.
    pub lane: String,
}

impl Store {
    /// Makes a job of the template that is due at `now`; `None` when there is no such template. A paused one can be
    /// triggered. The job is no occurrence: the ledger does not know it, and it runs whatever else of the template runs.
    pub async fn trigger_template(
        &self,
        merchant: MerchantId,
        template: TemplateId,
        now: DateTime<Utc>,
    ) -> StoreResult<Option<Triggered>> {
        let mut connection = self.pool().acquire().await?;
        trigger(&mut connection, merchant, template, now).await
    }
}

/// The work of [`Store::trigger_template`], inside whatever transaction the caller has.
pub(super) async fn trigger(
    connection: &mut PgConnection,
    merchant: MerchantId,
    template: TemplateId,
    now: DateTime<Utc>,
) -> StoreResult<Option<Triggered>> {
    let now = now.trunc_subsecs(6);
    let row: Option<TemplateRow> = sqlx::query_as(concat!(
        "SELECT ",
        template_columns!(),
        " FROM templates WHERE merchant_id = $1 AND id = $2 AND deleted_at IS NULL"
    ))
    .bind(merchant.0)
    .bind(template.0)
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let spec = row.definition()?.job;
    let columns = JobColumns::of(&spec);
    let id = JobId::new_at(now);
    let lane = insert(connection, &row, id, &columns, now).await?;
    let job = Box::new(shown(&row, id, spec, &columns, now));
    Ok(Some(Triggered { job, lane }))
}

/// Writes the job; returns its lane.
async fn insert(
    connection: &mut PgConnection,
    row: &TemplateRow,
    id: JobId,
    columns: &JobColumns,
    now: DateTime<Utc>,
) -> StoreResult<String> {
    let lane = sqlx::query_scalar(
        "INSERT INTO jobs_live (merchant_id, id, template_id, state, run_at, scheduled_for, created_at, start_deadline_at,
                                priority, max_attempts, timeout_ms, queue, lane, target, payload, backoff, metadata,
                                external_id)
         VALUES ($1, $2, $3, 'scheduled', $4, $4, $4, $4 + $5 * interval '1 microsecond', $6, $7, $8, $9,
                 coalesce((SELECT q.lane FROM queues q WHERE q.merchant_id = $1 AND q.name = $9), 'default'),
                 $10, $11, $12, $13::jsonb, $14)
         RETURNING lane",
    )
    .bind(row.merchant_id)
    .bind(id.0)
    .bind(row.id)
    .bind(now)
    .bind(columns.deadline_us)
    .bind(columns.priority)
    .bind(columns.max_attempts)
    .bind(columns.timeout_ms)
    .bind(&columns.queue)
    .bind(&columns.target)
    .bind(&columns.payload)
    .bind(&columns.backoff)
    .bind(&columns.metadata)
    .bind(&columns.external_id)
    .fetch_one(connection)
    .await?;
    Ok(lane)
}

/// The new job as the API shows it.
fn shown(row: &TemplateRow, id: JobId, spec: JobSpec, columns: &JobColumns, now: DateTime<Utc>) -> Job {
    Job {
        id,
        state: JobState::Scheduled,
        reason: None,
        attempt: 0,
        max_attempts: columns.max_attempts,
        crashes: 0,
        run_at: now,
        scheduled_for: now,
        created_at: now,
        started_at: None,
        finished_at: None,
        start_deadline_at: spec.start_deadline_at(now),
        cancel_requested_at: None,
        queue: spec.queue,
        priority: spec.priority,
        target: spec.target,
        payload: spec.payload,
        backoff: spec.backoff.unwrap_or_default(),
        timeout_seconds: f64::from(columns.timeout_ms) / 1000.0,
        template_id: Some(row.template()),
        redriven_from: None,
        run_if: None,
        dedupe_key: None,
        external_id: spec.external_id,
        metadata: spec.metadata.map(serde_json::Value::Object),
        traceparent: None,
        last_error: None,
        session_id: None,
    }
}
