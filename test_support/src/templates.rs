//! Templates for tests, and a look at what became of them.

use chrono::{DateTime, Utc};
use scheduler_core::domain::{JobId, MerchantId, Template, TemplateId, TemplateSpec};
use scheduler_core::schedule::Schedule;
use scheduler_core::store::Store;
use scheduler_core::store::templates::{NewTemplate, TemplateChange, TemplateChanged, TemplateCreated};
use serde_json::{Value, json};

/// The body of a template with this schedule and a no-op job.
pub fn body(name: &str, schedule: Value) -> Value {
    json!({"name": name, "schedule": schedule, "job": {"target": {"kind": "noop"}}})
}

/// Creates a template at the moment `now`.
pub async fn create(store: &Store, merchant: MerchantId, now: DateTime<Utc>, body: Value) -> Template {
    let (spec, schedule) = parsed(body);
    let new = NewTemplate { merchant, spec: &spec, schedule: &schedule, now, key: None };
    match store.create_template(&new).await.unwrap() {
        TemplateCreated::Created(template) => *template,
        other => panic!("{other:?}"),
    }
}

/// Gives a template a new definition at the moment `now`; returns how many jobs were taken back.
pub async fn replace(store: &Store, merchant: MerchantId, id: TemplateId, now: DateTime<Utc>, body: Value) -> u64 {
    let (spec, schedule) = parsed(body);
    change(store, merchant, id, now, TemplateChange::Replace { spec: &spec, schedule: &schedule }).await
}

/// Changes a template at the moment `now`; returns how many jobs were taken back.
pub async fn change(
    store: &Store,
    merchant: MerchantId,
    id: TemplateId,
    now: DateTime<Utc>,
    change: TemplateChange<'_>,
) -> u64 {
    match store.change_template(merchant, id, None, change, now).await.unwrap() {
        TemplateChanged::Done { cancelled, .. } => cancelled,
        other => panic!("{other:?}"),
    }
}

/// Reads a body the way the API does.
pub fn parsed(body: Value) -> (TemplateSpec, Schedule) {
    let spec: TemplateSpec = serde_json::from_str(&body.to_string()).unwrap();
    let schedule = Schedule::parse(&spec.schedule).unwrap();
    (spec, schedule)
}

/// The ledger in the order of time: nominal time, outcome, job.
pub async fn ledger(
    store: &Store,
    merchant: MerchantId,
    id: TemplateId,
) -> Vec<(DateTime<Utc>, String, Option<JobId>)> {
    let rows: Vec<(DateTime<Utc>, String, Option<uuid::Uuid>)> = sqlx::query_as(
        "SELECT nominal_at, outcome, job_id FROM occurrences WHERE merchant_id = $1 AND template_id = $2 ORDER BY 1",
    )
    .bind(merchant.0)
    .bind(id.0)
    .fetch_all(store.pool())
    .await
    .unwrap();
    rows.into_iter().map(|(at, outcome, job)| (at, outcome, job.map(JobId))).collect()
}

/// A live job of a template.
#[derive(Clone, PartialEq, Debug, sqlx::FromRow)]
pub struct LiveJob {
    /// Its id.
    pub id: uuid::Uuid,
    /// When it may start.
    pub run_at: DateTime<Utc>,
    /// Its nominal time.
    pub scheduled_for: DateTime<Utc>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Its start deadline.
    pub start_deadline_at: Option<DateTime<Utc>>,
    /// Queue.
    pub queue: String,
    /// Lane.
    pub lane: String,
    /// Priority.
    pub priority: i16,
    /// Attempts allowed.
    pub max_attempts: i32,
    /// Whether it gives way to an earlier one.
    pub overlap_skip: bool,
    /// The backfill that made it.
    pub backfill_id: Option<uuid::Uuid>,
    /// Payload.
    pub payload: Option<String>,
}

/// The live jobs of a template in the order of their nominal times.
pub async fn live_jobs(store: &Store, merchant: MerchantId, id: TemplateId) -> Vec<LiveJob> {
    sqlx::query_as(
        "SELECT id, run_at, scheduled_for, created_at, start_deadline_at, queue, lane, priority, max_attempts,
                overlap_skip, backfill_id, payload
           FROM jobs_live WHERE merchant_id = $1 AND template_id = $2 ORDER BY scheduled_for",
    )
    .bind(merchant.0)
    .bind(id.0)
    .fetch_all(store.pool())
    .await
    .unwrap()
}

/// The finished jobs of a template in the order of their nominal times: nominal time, state, reason.
pub async fn finished_jobs(
    store: &Store,
    merchant: MerchantId,
    id: TemplateId,
) -> Vec<(DateTime<Utc>, String, Option<String>)> {
    sqlx::query_as(
        "SELECT scheduled_for, state, reason FROM jobs_finished
          WHERE merchant_id = $1 AND template_id = $2 ORDER BY scheduled_for",
    )
    .bind(merchant.0)
    .bind(id.0)
    .fetch_all(store.pool())
    .await
    .unwrap()
}

/// Ends the live jobs of a template that are due at `now`: `succeeded` or `dead`.
pub async fn finish_due(store: &Store, merchant: MerchantId, id: TemplateId, now: DateTime<Utc>, state: &str) {
    sqlx::query(
        "WITH gone AS (
             DELETE FROM jobs_live WHERE merchant_id = $1 AND template_id = $2 AND run_at <= $3 RETURNING *)
         INSERT INTO jobs_finished (merchant_id, id, template_id, run_at, scheduled_for, created_at, finished_at, priority,
                                    attempt, crashes, max_attempts, timeout_ms, is_dead, has_dependents, state, reason,
                                    queue, lane, target, backfill_id, execution_id, started_at, outcome)
         SELECT merchant_id, id, template_id, run_at, scheduled_for, created_at, $3, priority, 1, 0, max_attempts,
                timeout_ms, $4 = 'dead', has_dependents, $4, CASE WHEN $4 <> 'succeeded' THEN 'exhausted' END,
                queue, lane, target, backfill_id, gen_random_uuid(), run_at, CASE WHEN $4 = 'succeeded' THEN $4 ELSE 'failed' END
           FROM gone",
    )
    .bind(merchant.0)
    .bind(id.0)
    .bind(now)
    .bind(state)
    .execute(store.pool())
    .await
    .unwrap();
}

/// Puts text into a template's job that no version of the program has written.
pub async fn damage(store: &Store, merchant: MerchantId, id: TemplateId, job: &str) {
    let changed = sqlx::query("UPDATE templates SET job = $3 WHERE merchant_id = $1 AND id = $2")
        .bind(merchant.0)
        .bind(id.0)
        .bind(job)
        .execute(store.pool())
        .await
        .unwrap();
    assert_eq!(changed.rows_affected(), 1);
}
