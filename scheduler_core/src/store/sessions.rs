//! Sessions of executors: one row per process, renewed while it lives. Its claims live as long as it does.
//!
//! Being lost is final. A renewal of a lost session touches no row, so a process that was away for too long learns it
//! from its own renewal and has to begin a new session.

use super::columns::claims;
use super::transitions::claim::ClaimKey;
use super::{Store, StoreResult};
use crate::domain::SessionId;
use crate::planted::bent;
use std::time::Duration;
use uuid::Uuid;

const RENEW: &str = "
    UPDATE sessions SET renewed_at = clock_timestamp()
     WHERE id = $1 AND lost_at IS NULL AND renewed_at > clock_timestamp() - make_interval(secs => $2)";

impl Store {
    /// Begins a session. Opening the same one twice is harmless, so it may be repeated after an unknown outcome.
    pub async fn open_session(&self, id: SessionId, host: &str, pid: i32, lanes: &[String]) -> StoreResult<()> {
        sqlx::query("INSERT INTO sessions (id, host, pid, lanes) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING")
            .bind(id.0)
            .bind(host)
            .bind(pid)
            .bind(lanes)
            .execute(self.pool())
            .await?;
        Ok(())
    }

    /// Renews a session; `false` when it is lost: its row is gone, was declared lost, or has not been renewed for
    /// `lost_after`.
    pub async fn renew_session(&self, id: SessionId, lost_after: Duration) -> StoreResult<bool> {
        let guard = "AND lost_at IS NULL AND renewed_at > clock_timestamp() - make_interval(secs => $2)";
        let renewed = sqlx::query(bent(RENEW, "renew_after_expiry", guard, "AND $2 > 0"))
            .bind(id.0)
            .bind(lost_after.as_secs_f64())
            .execute(self.pool())
            .await?;
        Ok(renewed.rows_affected() == 1)
    }

    /// Ends a session that holds no claims any more, or whose process cannot go on. Watchers take what it still holds
    /// at once instead of waiting for it to be missed.
    pub async fn end_session(&self, id: SessionId) -> StoreResult<()> {
        sqlx::query("UPDATE sessions SET lost_at = clock_timestamp() WHERE id = $1 AND lost_at IS NULL")
            .bind(id.0)
            .execute(self.pool())
            .await?;
        Ok(())
    }

    /// Claims of a session whose jobs somebody called off: their executor should stop them.
    pub async fn cancel_requests(&self, session: SessionId) -> StoreResult<Vec<ClaimKey>> {
        let rows: Vec<(Uuid, Uuid, Uuid)> = sqlx::query_as(
            "SELECT c.merchant_id, c.job_id, c.token
               FROM jobs_live j
              CROSS JOIN LATERAL (
                    -- By key, whatever the statistics say.
                    SELECT c.merchant_id, c.job_id, c.token FROM claims c
                     WHERE c.merchant_id = j.merchant_id AND c.job_id = j.id AND c.session_id = $1 OFFSET 0) c
              WHERE j.cancel_requested_at IS NOT NULL",
        )
        .bind(session.0)
        .persistent(false)
        .fetch_all(self.pool())
        .await?;
        Ok(claims(rows))
    }
}
