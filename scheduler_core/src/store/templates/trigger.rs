//! Running a template's job now, outside its schedule.

use super::job_columns::{JobColumns, OverlapColumns};
use super::keyed::{Keyed, answer, take};
use super::row::{Definition, TemplateRow, template_columns};
use crate::domain::variables::{self, Values};
use crate::domain::{Job, JobId, MerchantId, OverlapPolicy, TemplateId};
use crate::store::idempotency::KeyHolder;
use crate::store::job_create::{NewJob, Placed};
use crate::store::materialise::Surroundings;
use crate::store::{Store, StoreResult};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// A template to be triggered.
pub struct Trigger<'a> {
    /// Whose it is.
    pub merchant: MerchantId,
    /// Which.
    pub template: TemplateId,
    /// What becomes of the job while others of the template are live.
    pub overlap: OverlapPolicy,
    /// The present, by the database's clock.
    pub now: DateTime<Utc>,
    /// W3C trace context of the request.
    pub traceparent: Option<String>,
    /// The request's idempotency key and what to answer.
    pub key: Option<Keyed<'a, Job>>,
}

/// What became of a trigger.
#[derive(Clone, Debug)]
pub enum Triggered {
    /// There is a job, due now.
    Created {
        /// The job.
        job: Box<Job>,
        /// The lane of its queue.
        lane: String,
    },
    /// The idempotency key was used before.
    KeyTaken(KeyHolder),
    /// There is no such template. The idempotency key stays free.
    NotFound,
}

impl Store {
    /// Makes a job of the template that is due at once. A paused one can be triggered. The job is no occurrence: the
    /// ledger does not know it. Beside other jobs of the template it has the overlap policy that was asked for.
    ///
    /// # Errors
    /// When the database does not do it, or the template cannot be read.
    pub async fn trigger_template(&self, trigger: &Trigger<'_>) -> StoreResult<Triggered> {
        self.pool()
            .within(async {
                let mut transaction = self.pool().begin().await?;
                if let Some(holder) = take(&mut transaction, trigger.merchant, &trigger.key).await? {
                    transaction.rollback().await?;
                    return Ok(Triggered::KeyTaken(holder));
                }
                let Some(row) = read(&mut transaction, trigger).await? else {
                    transaction.rollback().await?;
                    return Ok(Triggered::NotFound);
                };
                let definition = row.definition()?;
                let values = values(&mut transaction, trigger, &row, &definition).await?;
                let overlap = OverlapColumns::of(trigger.overlap, &definition.policies);
                let spec = definition.job;
                let lane = lane_of(&mut transaction, trigger.merchant, &spec.queue).await?;
                let traceparent = trigger.traceparent.clone();
                let mut new = NewJob::from_spec(spec, trigger.merchant, lane, trigger.now, traceparent);
                if let Some(values) = values {
                    let (job, scheduled_for) = (new.id, new.run_at);
                    variables::fill_at_birth(&mut new.spec, &Values { job, scheduled_for, ..values });
                }
                insert(&mut transaction, trigger.template, &new, overlap).await?;
                let job = Job { template_id: Some(trigger.template), ..new.to_job(Placed::Scheduled) };
                answer(&mut transaction, trigger.merchant, &trigger.key, &job).await?;
                transaction.commit().await?;
                Ok(Triggered::Created { job: Box::new(job), lane: new.lane })
            })
            .await
    }
}

async fn read(connection: &mut PgConnection, trigger: &Trigger<'_>) -> StoreResult<Option<TemplateRow>> {
    let row = sqlx::query_as(concat!(
        "SELECT ",
        template_columns!(),
        " FROM templates WHERE merchant_id = $1 AND id = $2 AND deleted_at IS NULL"
    ))
    .bind(trigger.merchant.0)
    .bind(trigger.template.0)
    .fetch_optional(connection)
    .await?;
    Ok(row)
}

/// What the variables of the job stand for, its own id and time apart; none if it has no variables.
async fn values(
    connection: &mut PgConnection,
    trigger: &Trigger<'_>,
    row: &TemplateRow,
    definition: &Definition,
) -> StoreResult<Option<Values>> {
    if !variables::has_variables(&definition.job) {
        return Ok(None);
    }
    let surroundings = Surroundings::read(connection, [(row, &definition.schedule)].into_iter()).await?;
    let (previous, next) = surroundings.timetable(row, definition).neighbours(trigger.now);
    let (merchant, template) = (trigger.merchant, trigger.template);
    let (job, scheduled_for) = (JobId::new_at(trigger.now), trigger.now);
    Ok(Some(Values { merchant, template, job, scheduled_for, previous, next }))
}

async fn lane_of(connection: &mut PgConnection, merchant: MerchantId, queue: &str) -> StoreResult<String> {
    let lane: Option<String> = sqlx::query_scalar("SELECT lane FROM queues WHERE merchant_id = $1 AND name = $2")
        .bind(merchant.0)
        .bind(queue)
        .fetch_optional(connection)
        .await?;
    Ok(lane.unwrap_or_else(|| "default".to_owned()))
}

/// Like an occurrence's job.
async fn insert(
    connection: &mut PgConnection,
    template: TemplateId,
    new: &NewJob,
    overlap: OverlapColumns,
) -> StoreResult<()> {
    let columns = JobColumns::of(&new.spec);
    sqlx::query(
        "INSERT INTO jobs_live (merchant_id, id, template_id, state, run_at, scheduled_for, created_at, start_deadline_at,
                                priority, max_attempts, timeout_ms, queue, lane, target, payload, backoff, metadata,
                                external_id, traceparent, concurrency_key, overlap_skip, overlap,
                                template_limit)
         VALUES ($1, $2, $3, 'scheduled', $4, $4, $5, $4 + $6 * interval '1 microsecond', $7, $8, $9, $10, $11, $12, $13,
                 $14, $15::jsonb, $16, $17, $18, $19, $20, $21)",
    )
    .bind(new.merchant.0)
    .bind(new.id.0)
    .bind(template.0)
    .bind(new.run_at)
    .bind(new.created_at)
    .bind(columns.deadline_us)
    .bind(columns.priority)
    .bind(columns.max_attempts)
    .bind(columns.timeout_ms)
    .bind(&columns.queue)
    .bind(&new.lane)
    .bind(&columns.target)
    .bind(&columns.payload)
    .bind(&columns.backoff)
    .bind(&columns.metadata)
    .bind(&columns.external_id)
    .bind(&new.traceparent)
    .bind(&columns.concurrency_key)
    .bind(overlap.skip)
    .bind(overlap.policy)
    .bind(overlap.limit)
    .execute(connection)
    .await?;
    Ok(())
}
