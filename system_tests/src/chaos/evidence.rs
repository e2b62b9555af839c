//! What is known in the end: the history, the visits at the target, and the rows.

use super::history::Operation;
use super::nemesis::Fault;
use super::target::Visit;
use chrono::{DateTime, Utc};
use scheduler_core::store::Store;
use uuid::Uuid;

/// A job as it ended, or as it still stands.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct JobRow {
    /// Whose.
    pub merchant_id: Uuid,
    /// Its id.
    pub id: Uuid,
    /// Stored state.
    pub state: String,
    /// Whether it is live.
    pub live: bool,
    /// Why it ended so.
    pub reason: Option<String>,
    /// Attempts that ended.
    pub attempt: i32,
    /// Lost ones among them.
    pub crashes: i32,
    /// Attempts that may fail.
    pub max_attempts: i32,
    /// The moment that was asked for.
    pub scheduled_for: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// The producer's name for it.
    pub external_id: Option<String>,
    /// Its template.
    pub template_id: Option<Uuid>,
    /// The dead letter that it repeats.
    pub redriven_from: Option<Uuid>,
    /// Its last execution, if its end belongs to one.
    pub execution_id: Option<Uuid>,
    /// Its queue.
    pub queue: String,
    /// What it shares a cap with.
    pub concurrency_key: Option<String>,
}

/// An attempt that was recorded, wherever.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ExecutionRow {
    /// Its job.
    pub job_id: Uuid,
    /// Its id: the claim's token.
    pub id: Uuid,
    /// Its number.
    pub attempt: i32,
    /// How it ended.
    pub outcome: String,
    /// Who ran it.
    pub session_id: Uuid,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
}

/// One record of the ledger.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct OccurrenceRow {
    /// Its template.
    pub template_id: Uuid,
    /// Its nominal time.
    pub nominal_at: DateTime<Utc>,
    /// What became of it.
    pub outcome: String,
    /// Its job.
    pub job_id: Option<Uuid>,
}

/// A session.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct SessionRow {
    /// Which.
    pub id: Uuid,
    /// Last renewal.
    pub renewed_at: DateTime<Utc>,
    /// When it was lost.
    pub lost_at: Option<DateTime<Utc>>,
}

/// Everything.
pub struct Evidence {
    /// The faults that were injected.
    pub faults: Vec<Fault>,
    /// Ids of the merchants.
    pub merchants: Vec<Uuid>,
    /// Calls and answers.
    pub operations: Vec<Operation>,
    /// Visits at the target.
    pub visits: Vec<Visit>,
    /// Jobs, live and finished; a job that is in both is here twice.
    pub jobs: Vec<JobRow>,
    /// Recorded attempts.
    pub executions: Vec<ExecutionRow>,
    /// The ledger.
    pub occurrences: Vec<OccurrenceRow>,
    /// When each template was made.
    pub templates: Vec<(Uuid, DateTime<Utc>)>,
    /// Sessions of executors.
    pub sessions: Vec<SessionRow>,
    /// Children with their parents.
    pub claims: i64,
    /// Keys of the alerts, as (merchant, key).
    pub alerts: Vec<(Uuid, String)>,
    /// Of the watchers: claims that nobody has taken back in time; `None`: no watcher answers.
    pub leases_overdue: Option<f64>,
    /// Members that are left in the ready sets of Redis, when nothing is due any more.
    pub ready_members: i64,
}

const JOBS: &str = "
    SELECT merchant_id, id, state, true AS live, NULL AS reason, attempt, crashes, max_attempts, scheduled_for,
           NULL::timestamptz AS finished_at, external_id, template_id, redriven_from, NULL::uuid AS execution_id,
           queue, concurrency_key
      FROM jobs_live
     UNION ALL
    SELECT merchant_id, id, state, false, reason, attempt, crashes, max_attempts, scheduled_for,
           finished_at, external_id, template_id, redriven_from, execution_id, queue, concurrency_key
      FROM jobs_finished";

const EXECUTIONS: &str = "
    SELECT job_id, id, attempt, outcome, session_id, finished_at FROM executions
     UNION ALL
    SELECT id, execution_id, attempt, outcome, session_id, finished_at FROM jobs_finished WHERE execution_id IS NOT NULL";

/// The rows; what comes from elsewhere is left empty.
pub async fn read_rows(store: &Store) -> Result<Evidence, sqlx::Error> {
    let pool = store.pool();
    Ok(Evidence {
        faults: Vec::new(),
        merchants: Vec::new(),
        operations: Vec::new(),
        visits: Vec::new(),
        jobs: sqlx::query_as(JOBS).fetch_all(pool).await?,
        executions: sqlx::query_as(EXECUTIONS).fetch_all(pool).await?,
        occurrences: sqlx::query_as("SELECT template_id, nominal_at, outcome, job_id FROM occurrences")
            .fetch_all(pool)
            .await?,
        templates: sqlx::query_as("SELECT id, created_at FROM templates").fetch_all(pool).await?,
        sessions: sqlx::query_as("SELECT id, renewed_at, lost_at FROM sessions").fetch_all(pool).await?,
        claims: sqlx::query_scalar("SELECT count(*) FROM claims").fetch_one(pool).await?,
        alerts: sqlx::query_as("SELECT merchant_id, dedupe_key FROM alert_outbox").fetch_all(pool).await?,
        leases_overdue: None,
        ready_members: 0,
    })
}
