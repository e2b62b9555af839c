//! Rows to start a test from, written without the services.

use chrono::{DateTime, Utc};
use scheduler_core::domain::{JobId, MerchantId};
use scheduler_core::store::Store;

/// A merchant with this name.
pub async fn merchant(store: &Store, name: &str) -> MerchantId {
    let id = MerchantId::new_at(database_now(store).await);
    sqlx::query("INSERT INTO merchants (id, name) VALUES ($1, $2)")
        .bind(id.0)
        .bind(name)
        .execute(store.pool())
        .await
        .unwrap();
    id
}

/// The database's clock.
pub async fn database_now(store: &Store) -> DateTime<Utc> {
    sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(store.pool()).await.unwrap()
}

/// A live job to be inserted; start from [`JobSeed::due`] and change fields.
#[derive(Clone, Debug)]
pub struct JobSeed {
    /// Whose job.
    pub merchant: MerchantId,
    /// Its id.
    pub id: JobId,
    /// Stored state.
    pub state: &'static str,
    /// Due after this many seconds (negative: since).
    pub due_in_seconds: f64,
    /// Queue.
    pub queue: String,
    /// Lane.
    pub lane: String,
    /// Priority.
    pub priority: i16,
    /// Last attempt that ended.
    pub attempt: i32,
    /// Lost attempts among them.
    pub crashes: i32,
    /// Attempts allowed.
    pub max_attempts: i32,
    /// Target JSON.
    pub target: String,
    /// Payload JSON.
    pub payload: Option<String>,
    /// Backoff JSON.
    pub backoff: Option<String>,
    /// Template.
    pub template: Option<uuid::Uuid>,
    /// Overlap policy `skip`.
    pub overlap_skip: bool,
    /// Another overlap policy.
    pub overlap: Option<&'static str>,
    /// Start deadline, seconds from now.
    pub start_deadline_in_seconds: Option<f64>,
    /// Of a failed job.
    pub retryable: Option<bool>,
    /// Jobs of the queue with the same key run one at a time.
    pub concurrency_key: Option<String>,
    /// So many jobs of the template may run at once.
    pub template_limit: Option<i32>,
}

impl JobSeed {
    /// A no-op job of the default queue that has been due for a second.
    pub fn due(merchant: MerchantId) -> Self {
        Self {
            merchant,
            id: JobId(uuid::Uuid::now_v7()),
            state: "scheduled",
            due_in_seconds: -1.0,
            queue: "default".to_owned(),
            lane: "default".to_owned(),
            priority: 5,
            attempt: 0,
            crashes: 0,
            max_attempts: 5,
            target: r#"{"kind":"noop"}"#.to_owned(),
            payload: None,
            backoff: None,
            template: None,
            overlap_skip: false,
            overlap: None,
            start_deadline_in_seconds: None,
            retryable: None,
            concurrency_key: None,
            template_limit: None,
        }
    }

    /// A job that has just failed its `attempt`-th attempt.
    pub fn failed(merchant: MerchantId, attempt: i32, retryable: bool) -> Self {
        Self { state: "failed", attempt, retryable: Some(retryable), ..Self::due(merchant) }
    }

    /// Writes it.
    pub async fn insert(&self, store: &Store) -> JobId {
        sqlx::query(
            "INSERT INTO jobs_live (merchant_id, id, state, run_at, scheduled_for, created_at, queue, lane, priority,
                                    attempt, crashes, max_attempts, timeout_ms, target, payload, backoff, template_id,
                                    overlap_skip, start_deadline_at, retryable, failed_at, run_if,
                                    concurrency_key, template_limit, overlap)
             SELECT $1, $2, $3, due.at, due.at, clock_timestamp(), $5, $6, $7, $8, $9, $10, 30000, $11, $12, $13, $14, $15,
                     clock_timestamp() + make_interval(secs => $16), $17,
                     CASE WHEN $3 = 'failed' THEN clock_timestamp() END,
                     CASE WHEN $3 = 'blocked' THEN 'all_succeeded' END, $18, $19, $20
               FROM (SELECT clock_timestamp() + make_interval(secs => $4) AS at) due",
        )
        .bind(self.merchant.0)
        .bind(self.id.0)
        .bind(self.state)
        .bind(self.due_in_seconds)
        .bind(&self.queue)
        .bind(&self.lane)
        .bind(self.priority)
        .bind(self.attempt)
        .bind(self.crashes)
        .bind(self.max_attempts)
        .bind(&self.target)
        .bind(&self.payload)
        .bind(&self.backoff)
        .bind(self.template)
        .bind(self.overlap_skip)
        .bind(self.start_deadline_in_seconds)
        .bind(self.retryable)
        .bind(&self.concurrency_key)
        .bind(self.template_limit)
        .bind(self.overlap)
        .execute(store.pool())
        .await
        .unwrap();
        self.id
    }
}

/// A due no-op job.
pub async fn job(store: &Store, merchant: MerchantId) -> JobId {
    JobSeed::due(merchant).insert(store).await
}

/// The stored state of a live job or the final one of a finished job.
pub async fn stored_state(store: &Store, merchant: MerchantId, job: JobId) -> Option<String> {
    sqlx::query_scalar(
        "SELECT state FROM jobs_live WHERE merchant_id = $1 AND id = $2
         UNION ALL SELECT state FROM jobs_finished WHERE merchant_id = $1 AND id = $2",
    )
    .bind(merchant.0)
    .bind(job.0)
    .fetch_optional(store.pool())
    .await
    .unwrap()
}
