//! Taking back the jobs of backfills that have not started.

use crate::domain::{JobId, MerchantId};
use crate::store::StoreResult;
use crate::store::plans::plan_by_key;
use crate::store::transitions::claim_key::{release_keys, take_keys};
use crate::store::transitions::finish::finish_gone;
use sqlx::PgConnection;
use uuid::Uuid;

const CANDIDATES: &str = "
    SELECT id FROM jobs_live
     WHERE merchant_id = $1 AND backfill_id = ANY ($2) AND state = 'scheduled' AND attempt = 0";

/// Ends the jobs whose keys are held, and makes their records what they were before. `scheduled` → cancelled.
const TAKE_BACK: &str = concat!(
    "WITH gone AS (
        DELETE FROM jobs_live j USING unnest($1::uuid[], $2::uuid[]) AS h (merchant_id, id)
         WHERE j.merchant_id = ANY (ARRAY[h.merchant_id]) AND j.id = h.id
           AND j.state || '' = 'scheduled' AND j.attempt = 0 AND (j.backfill_id = ANY ($3)) IS TRUE
        RETURNING j.*
    ), restored AS (
        UPDATE occurrences o
           SET outcome = o.replaced->>'outcome', reason = o.replaced->>'reason', job_id = (o.replaced->>'job_id')::uuid,
               moved_to = (o.replaced->>'moved_to')::timestamptz, version = (o.replaced->>'version')::integer,
               created_at = (o.replaced->>'created_at')::timestamptz, backfill_id = (o.replaced->>'backfill_id')::uuid,
               replaced = NULL
          FROM gone g
         WHERE o.merchant_id = ANY (ARRAY[g.merchant_id]) AND o.template_id = g.template_id
           AND o.nominal_at = g.scheduled_for AND o.job_id = g.id AND (o.replaced IS NOT NULL) IS TRUE
    ), forgotten AS (
        DELETE FROM occurrences o USING gone g
         WHERE o.merchant_id = ANY (ARRAY[g.merchant_id]) AND o.template_id = g.template_id
           AND o.nominal_at = g.scheduled_for AND o.job_id = g.id AND (o.replaced IS NULL) IS TRUE
    ), finished AS (",
    finish_gone!(false, "'cancelled'", "'backfill_cancelled'", "g.last_error"),
    ")
    SELECT count(*) FROM gone"
);

/// Cancels those jobs of the backfills that are neither claimed nor tried; returns how many. The caller holds the rows of the
/// backfills, so that no new ones appear.
pub(super) async fn take_back(
    connection: &mut PgConnection,
    merchant: MerchantId,
    backfills: &[Uuid],
) -> StoreResult<u64> {
    let candidates: Vec<Uuid> =
        sqlx::query_scalar(CANDIDATES).bind(merchant.0).bind(backfills).fetch_all(&mut *connection).await?;
    if candidates.is_empty() {
        return Ok(0);
    }
    let wanted: Vec<_> = candidates.into_iter().map(|job| (merchant, JobId(job))).collect();
    let held = take_keys(connection, &wanted).await?;
    plan_by_key(connection).await?;
    let cancelled: i64 = sqlx::query_scalar(TAKE_BACK)
        .bind(held.merchants())
        .bind(held.jobs())
        .bind(backfills)
        .fetch_one(&mut *connection)
        .await?;
    release_keys(connection, held).await?;
    Ok(cancelled.unsigned_abs())
}
