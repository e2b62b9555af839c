//! Lanes and their leases: each lane is served by one populator at a time.
//!
//! A lease ends by the database's clock. Two populators on one lane would be waste, never damage, so nothing is fenced
//! by it.

use super::{Store, StoreResult};
use std::time::Duration;
use uuid::Uuid;

/// Lanes that jobs wait in are found by jumping from one to the next in the index of due jobs.
const KNOWN_LANES: &str = "
    WITH RECURSIVE used AS (
        (SELECT lane FROM jobs_live WHERE state IN ('scheduled', 'retrying') ORDER BY lane LIMIT 1)
        UNION ALL
        SELECT (SELECT j.lane FROM jobs_live j
                 WHERE j.state IN ('scheduled', 'retrying') AND j.lane > u.lane ORDER BY j.lane LIMIT 1)
          FROM used u WHERE u.lane IS NOT NULL
    )
    SELECT lane FROM used WHERE lane IS NOT NULL
    UNION SELECT lane FROM queues";

impl Store {
    /// Every lane that a queue names or that a job waits in.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn known_lanes(&self) -> StoreResult<Vec<String>> {
        Ok(sqlx::query_scalar(KNOWN_LANES).fetch_all(self.pool()).await?)
    }

    /// Leases lanes to `holder` for `term` from now, or renews its leases. Returns the lanes that it holds afterwards;
    /// the others are somebody else's.
    ///
    /// # Errors
    /// When the database does not answer; what is held then is unknown.
    pub async fn lease_lanes(&self, holder: Uuid, lanes: &[String], term: Duration) -> StoreResult<Vec<String>> {
        Ok(sqlx::query_scalar(
            "INSERT INTO lane_leases AS l (lane, holder, expires_at)
             SELECT w.lane, $2, clock_timestamp() + make_interval(secs => $3)
               FROM unnest($1::text[]) AS w (lane) ORDER BY w.lane
             ON CONFLICT (lane) DO UPDATE SET holder = EXCLUDED.holder, expires_at = EXCLUDED.expires_at
              WHERE l.holder = EXCLUDED.holder OR l.expires_at < clock_timestamp()
             RETURNING l.lane",
        )
        .bind(lanes)
        .bind(holder)
        .bind(term.as_secs_f64())
        .fetch_all(self.pool())
        .await?)
    }

    /// Gives up leases of `holder`, so that another need not wait for their end. Leases that are not its own stay.
    ///
    /// # Errors
    /// When the database does not answer; the leases then end by themselves.
    pub async fn release_lanes(&self, holder: Uuid, lanes: &[String]) -> StoreResult<()> {
        sqlx::query("DELETE FROM lane_leases WHERE lane = ANY($1) AND holder = $2")
            .bind(lanes)
            .bind(holder)
            .execute(self.pool())
            .await?;
        Ok(())
    }
}
