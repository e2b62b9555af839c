//! Rows whose time is over, deleted a page at a time.

use super::columns::row_limit;
use super::{Store, StoreResult};
use std::time::Duration;

impl Store {
    /// Deletes idempotency keys that have expired; at most `limit` of them. Returns how many.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn delete_expired_keys(&self, limit: usize) -> StoreResult<u64> {
        let deleted = sqlx::query(
            "DELETE FROM idempotency_keys k
              USING (SELECT merchant_id, key FROM idempotency_keys
                      WHERE expires_at < statement_timestamp()
                      ORDER BY expires_at
                      LIMIT $1
                        FOR UPDATE SKIP LOCKED) AS old
              WHERE k.merchant_id = ANY (ARRAY[old.merchant_id]) AND k.key = old.key
                AND (k.expires_at < clock_timestamp()) IS TRUE",
        );
        Ok(deleted.bind(row_limit(limit)).execute(self.pool()).await?.rows_affected())
    }

    /// Deletes sessions that were lost longer ago than `age` and hold no claims; at most `limit` of them. Returns how
    /// many.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn delete_lost_sessions(&self, age: Duration, limit: usize) -> StoreResult<u64> {
        let deleted = sqlx::query(
            "DELETE FROM sessions WHERE id IN (
                 SELECT s.id FROM sessions s
                  WHERE s.lost_at < clock_timestamp() - make_interval(secs => $1)
                    AND NOT EXISTS (SELECT 1 FROM claims c WHERE c.session_id = s.id)
                  LIMIT $2
                    FOR UPDATE OF s SKIP LOCKED)",
        )
        .bind(age.as_secs_f64())
        .bind(row_limit(limit));
        Ok(deleted.execute(self.pool()).await?.rows_affected())
    }

    /// Deletes backfills that ended longer ago than `age`, with what was still to be counted of them; at most `limit` of them.
    /// Returns how many.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn delete_ended_backfills(&self, age: Duration, limit: usize) -> StoreResult<u64> {
        let deleted: i64 = sqlx::query_scalar(
            "WITH gone AS (
                 DELETE FROM backfills b
                  USING (SELECT merchant_id, id FROM backfills
                          WHERE ended_at < clock_timestamp() - make_interval(secs => $1)
                          LIMIT $2
                            FOR UPDATE SKIP LOCKED) AS old
                  WHERE b.merchant_id = old.merchant_id AND b.id = old.id
                 RETURNING b.merchant_id, b.id
             ), counted AS (
                 DELETE FROM backfill_endings e USING gone g
                  WHERE e.merchant_id = g.merchant_id AND e.backfill_id = g.id
             )
             SELECT count(*) FROM gone",
        )
        .bind(age.as_secs_f64())
        .bind(row_limit(limit))
        .fetch_one(self.pool())
        .await?;
        Ok(deleted.unsigned_abs())
    }
}
