//! Taking back the jobs of a template that are not due yet, so that what the template says next counts for them.

use crate::domain::{JobId, MerchantId, TemplateId};
use crate::store::StoreResult;
use crate::store::plans::plan_by_key;
use crate::store::transitions::claim_key::{release_keys, take_keys};
use crate::store::transitions::finish::finish_gone;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// The jobs that look as if they could be taken back. A redriven job is no occurrence.
const CANDIDATES: &str = "
SELECT id FROM jobs_live
 WHERE merchant_id = $1 AND template_id = $2 AND scheduled_for > $3 AND run_at > $3
   AND state = 'scheduled' AND attempt = 0 AND redriven_from IS NULL";

/// Ends the jobs whose keys are held, and forgets their occurrences. `scheduled` → cancelled.
const WITHDRAW: &str = concat!(
    "WITH gone AS (
        DELETE FROM jobs_live j USING unnest($1::uuid[], $2::uuid[]) AS h (merchant_id, id)
         WHERE j.merchant_id = ANY (ARRAY[h.merchant_id]) AND j.id = h.id
           AND j.run_at > $3 AND j.state || '' = 'scheduled' AND j.attempt = 0
        RETURNING j.*
    ), forgotten AS (
        DELETE FROM occurrences o USING gone g
         WHERE o.merchant_id = ANY (ARRAY[g.merchant_id]) AND o.template_id = g.template_id
           AND o.nominal_at = g.scheduled_for AND o.job_id = g.id
    ), finished AS (",
    finish_gone!(false, "'cancelled'", "'template_changed'", "g.last_error"),
    ")
    SELECT count(*) FROM gone"
);

/// Cancels the jobs of a template that are planned after `now`, unclaimed and never attempted (reason
/// `template_changed`), and removes their occurrences from the ledger, so that a new version may record the same
/// nominal times anew. A job that is running stands, and so does its occurrence. Returns how many were cancelled.
///
/// The caller holds the lock of the template's row, so no new ones appear meanwhile.
pub(super) async fn withdraw(
    connection: &mut PgConnection,
    merchant: MerchantId,
    template: TemplateId,
    now: DateTime<Utc>,
) -> StoreResult<u64> {
    let candidates: Vec<Uuid> =
        sqlx::query_scalar(CANDIDATES).bind(merchant.0).bind(template.0).bind(now).fetch_all(&mut *connection).await?;
    if candidates.is_empty() {
        return Ok(0);
    }
    let wanted: Vec<_> = candidates.into_iter().map(|job| (merchant, JobId(job))).collect();
    let held = take_keys(connection, &wanted).await?;
    plan_by_key(connection).await?;
    let cancelled: i64 = sqlx::query_scalar(WITHDRAW)
        .bind(held.merchants())
        .bind(held.jobs())
        .bind(now)
        .fetch_one(&mut *connection)
        .await?;
    release_keys(connection, held).await?;
    Ok(cancelled.unsigned_abs())
}
