//! Concurrency caps looked at as a whole: the counters compared with the claims.
//!
//! Claims are counted where they are granted (`claim_jobs_v3`) and given back where they are removed
//! (`transitions/caps.rs`), both in one transaction with the claim. So in any snapshot a counter is equal to the number of
//! claims that name its cap. What differs all the same (a mended database, an older version that removed a claim, a
//! limit that is newer than a claim) is put right here.

use super::columns::row_limit;
use super::plans::plan_by_key;
use super::{Store, StoreResult};
use crate::domain::MerchantId;
use sqlx::PgConnection;
use std::time::Duration;
use uuid::Uuid;

/// What a comparison has found and put right.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CapsChecked {
    /// Claims that a cap did not know: it is newer than they are.
    pub adopted: u64,
    /// Counters that were not equal to the claims that name them.
    pub drifted: u64,
    /// Counters that have been 0 for a while and are gone.
    pub forgotten: u64,
}

/// Claims that lack caps which their jobs have by now, in key order.
const ADOPT: &str = "
    WITH lacking AS (
        SELECT c.merchant_id, c.job_id, c.token,
               ARRAY(SELECT cap.name FROM unnest(x.caps) AS cap (name) WHERE cap.name <> ALL (coalesce(c.caps, '{}'))) AS caps
          FROM claims c
         CROSS JOIN LATERAL (
               SELECT j.queue, j.concurrency_key, j.template_id, j.template_limit FROM jobs_live j
                WHERE j.merchant_id = c.merchant_id AND j.id = c.job_id OFFSET 0) j
          LEFT JOIN LATERAL (
               SELECT q.concurrency, q.merchant_concurrency FROM queues q
                WHERE q.merchant_id = c.merchant_id AND q.name = j.queue OFFSET 0) q ON true
         CROSS JOIN LATERAL (
               SELECT caps_of_v1(j.queue, j.concurrency_key, j.template_id, j.template_limit, q.concurrency,
                                 q.merchant_concurrency) AS caps) x
         WHERE ($1::uuid IS NULL OR c.merchant_id = $1) AND NOT coalesce(c.caps, '{}') @> x.caps
         ORDER BY c.merchant_id, c.job_id
           FOR UPDATE OF c
    ), adopted AS (
        UPDATE claims c SET caps = coalesce(c.caps, '{}') || l.caps
          FROM lacking l
         WHERE c.merchant_id = ANY (ARRAY[l.merchant_id]) AND c.job_id = l.job_id AND c.token = l.token
        RETURNING l.merchant_id, l.caps
    ), counted AS (
        INSERT INTO cap_counters AS k (merchant_id, cap, running)
        SELECT a.merchant_id, cap.name, count(*)
          FROM adopted a CROSS JOIN unnest(a.caps) AS cap (name)
         GROUP BY a.merchant_id, cap.name
         ORDER BY a.merchant_id, cap.name
        ON CONFLICT (merchant_id, cap) DO UPDATE
           SET running = k.running + EXCLUDED.running, changed_at = clock_timestamp()
    )
    SELECT count(*) FROM adopted";

/// One snapshot sees claims and counters as one transaction after the other left them.
const DRIFTED: &str = "
    WITH actual AS (
        SELECT c.merchant_id, cap.name AS cap, count(*) AS claims
          FROM claims c CROSS JOIN unnest(c.caps) AS cap (name)
         WHERE c.caps IS NOT NULL
         GROUP BY c.merchant_id, cap.name
    )
    SELECT coalesce(a.merchant_id, k.merchant_id), coalesce(a.cap, k.cap)
      FROM actual a FULL JOIN cap_counters k ON k.merchant_id = a.merchant_id AND k.cap = a.cap
     WHERE coalesce(a.claims, 0) <> coalesce(k.running, 0)
     ORDER BY 1, 2
     LIMIT 1000";

impl Store {
    /// Compares every counter with the claims and puts right what differs. Costs a look at every claim there is.
    ///
    /// # Errors
    /// When the database does not answer; doing it again is safe.
    pub async fn check_caps(&self, forget_after: Duration) -> StoreResult<CapsChecked> {
        let adopted = self.adopt_claims(None).await?;
        let drifted: Vec<(Uuid, String)> = sqlx::query_as(DRIFTED).persistent(false).fetch_all(self.pool()).await?;
        let mut checked = CapsChecked { adopted, ..CapsChecked::default() };
        for (merchant, cap) in &drifted {
            checked.drifted += u64::from(self.recount(*merchant, cap).await?);
        }
        checked.forgotten = self.forget_counters(forget_after, 1_000).await?;
        Ok(checked)
    }

    /// Counts the running jobs of a merchant (or of all) against caps that are newer than their claims. Returns how many
    /// claims it was about.
    ///
    /// # Errors
    /// When the database does not answer; doing it again is safe.
    pub async fn adopt_claims(&self, merchant: Option<MerchantId>) -> StoreResult<u64> {
        self.pool()
            .within(async {
                let mut transaction = self.pool().begin().await?;
                plan_by_key(&mut transaction).await?;
                let adopted: i64 = sqlx::query_scalar(ADOPT)
                    .bind(merchant.map(|merchant| merchant.0))
                    .persistent(false)
                    .fetch_one(&mut *transaction)
                    .await?;
                transaction.commit().await?;
                Ok(adopted.unsigned_abs())
            })
            .await
    }

    /// Counts one cap anew. Whoever has changed claims of it and is not done waits for the counter, so the second
    /// statement sees neither half of that. Returns whether it was wrong indeed.
    async fn recount(&self, merchant: Uuid, cap: &str) -> StoreResult<bool> {
        self.pool().within(async {
        let mut transaction = self.pool().begin().await?;
        let counted = lock_counter(&mut transaction, merchant, cap).await?;
        let actual: i32 = sqlx::query_scalar(
            "SELECT count(*)::integer FROM claims c WHERE c.merchant_id = $1 AND (ARRAY[$2] <@ c.caps) IS TRUE",
        )
        .bind(merchant)
        .bind(cap)
        .fetch_one(&mut *transaction)
        .await?;
        if actual != counted {
            tracing::warn!(merchant_id = %merchant, counted, actual, "a counter of a concurrency cap was wrong");
            sqlx::query(
                "UPDATE cap_counters SET running = $3, changed_at = clock_timestamp() WHERE merchant_id = $1 AND cap = $2",
            )
            .bind(merchant)
            .bind(cap)
            .bind(actual)
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(actual != counted)
    }).await
    }

    /// Counters that nobody has needed for a while; one that a claim is just waiting for is made anew by it.
    async fn forget_counters(&self, unused_for: Duration, limit: usize) -> StoreResult<u64> {
        let deleted = sqlx::query(
            "DELETE FROM cap_counters k
              USING (SELECT merchant_id, cap FROM cap_counters
                      WHERE running = 0 AND changed_at < clock_timestamp() - make_interval(secs => $1)
                      LIMIT $2
                        FOR UPDATE SKIP LOCKED) AS old
              WHERE k.merchant_id = ANY (ARRAY[old.merchant_id]) AND k.cap = old.cap AND (k.running = 0) IS TRUE",
        )
        .bind(unused_for.as_secs_f64())
        .bind(row_limit(limit));
        Ok(deleted.execute(self.pool()).await?.rows_affected())
    }
}

async fn lock_counter(connection: &mut PgConnection, merchant: Uuid, cap: &str) -> StoreResult<i32> {
    Ok(sqlx::query_scalar(
        "INSERT INTO cap_counters AS k (merchant_id, cap) VALUES ($1, $2)
         ON CONFLICT (merchant_id, cap) DO UPDATE SET running = k.running
         RETURNING running",
    )
    .bind(merchant)
    .bind(cap)
    .fetch_one(connection)
    .await?)
}
