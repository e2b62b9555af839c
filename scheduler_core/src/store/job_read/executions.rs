//! The attempts at a job: ended ones, the last one (which lies with the finished job), and the running one.

use crate::domain::{Execution, JobId, MerchantId, Outcome, SessionId, Token};
use crate::store::{Store, StoreError, StoreResult};
use chrono::{DateTime, Utc};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

const EXECUTIONS: &str = "
    SELECT * FROM (
        SELECT x.id, x.attempt, x.session_id, x.started_at, x.finished_at, x.outcome, x.error, x.response_status,
               x.response_body, x.response_truncated
          FROM executions x WHERE x.merchant_id = $1 AND x.job_id = $2
        UNION ALL
        SELECT f.execution_id, f.attempt, f.session_id, f.started_at, f.finished_at, f.outcome,
               CASE WHEN f.outcome <> 'succeeded' THEN f.last_error END, f.response_status,
               f.response_body, f.response_truncated
          FROM jobs_finished f WHERE f.merchant_id = $1 AND f.id = $2 AND f.execution_id IS NOT NULL
        UNION ALL
        SELECT c.token, j.attempt + 1, c.session_id, c.granted_at, NULL, NULL, NULL, NULL, NULL, NULL
          FROM claims c JOIN jobs_live j ON j.merchant_id = c.merchant_id AND j.id = c.job_id
         WHERE c.merchant_id = $1 AND c.job_id = $2
    ) AS attempts
     WHERE attempt > $3 ORDER BY attempt LIMIT $4";

impl Store {
    /// The attempts at a job after the `after`-th, in order, at most `rows`. Empty for a job that has not been tried,
    /// and for one that does not exist.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn executions(
        &self,
        merchant: MerchantId,
        job: JobId,
        after: i32,
        rows: usize,
    ) -> StoreResult<Vec<Execution>> {
        let rows = sqlx::query(EXECUTIONS)
            .bind(merchant.0)
            .bind(job.0)
            .bind(after)
            .bind(rows as i64)
            .fetch_all(self.pool())
            .await?;
        rows.into_iter().map(execution).collect()
    }
}

fn execution(row: PgRow) -> StoreResult<Execution> {
    let id: Uuid = row.try_get("id")?;
    let started_at: DateTime<Utc> = row.try_get("started_at")?;
    let finished_at: Option<DateTime<Utc>> = row.try_get("finished_at")?;
    let outcome: Option<String> = row.try_get("outcome")?;
    let outcome =
        outcome.map(|text| Outcome::parse(&text).ok_or_else(|| StoreError::corrupt("executions", "outcome", id, text)));
    let body: Option<Vec<u8>> = row.try_get("response_body")?;
    Ok(Execution {
        id: Token(id),
        attempt: row.try_get("attempt")?,
        session_id: SessionId(row.try_get("session_id")?),
        started_at,
        finished_at,
        outcome: outcome.transpose()?,
        duration_ms: finished_at.map(|end| (end - started_at).num_milliseconds().max(0)),
        error: row.try_get("error")?,
        response_status: row.try_get("response_status")?,
        response_body: body.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        response_truncated: row.try_get::<Option<bool>, _>("response_truncated")?.unwrap_or(false),
    })
}
