//! Ending the job of an occurrence that has not started, against claims that may come at the same time.

use super::Refusal;
use crate::domain::{JobId, MerchantId};
use crate::store::StoreResult;
use crate::store::transitions::claim_key::{release_keys, take_keys};
use crate::store::transitions::finish::finish_gone;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// Under the claim key. `scheduled` → cancelled.
const TAKE_BACK: &str = concat!(
    "WITH gone AS (
         DELETE FROM jobs_live
          WHERE merchant_id = $1 AND id = $2 AND run_at > $3 AND state || '' = 'scheduled' AND attempt = 0
         RETURNING *
     ) ",
    finish_gone!(false, "'cancelled'", "$4::text", "g.last_error"),
    "RETURNING id"
);

/// Cancels a job that is planned after `now` and not claimed, for this reason. The caller rolls back if it is refused.
pub(super) async fn take_back(
    connection: &mut PgConnection,
    merchant: MerchantId,
    job: JobId,
    reason: &'static str,
    now: DateTime<Utc>,
) -> StoreResult<Result<(), Refusal>> {
    let key = take_keys(connection, &[(merchant, job)]).await?;
    if key.is_empty() {
        return Ok(Err(Refusal::Started(job)));
    }
    let gone: Option<Uuid> = sqlx::query_scalar(TAKE_BACK)
        .bind(merchant.0)
        .bind(job.0)
        .bind(now)
        .bind(reason)
        .fetch_optional(&mut *connection)
        .await?;
    let outcome = if gone.is_some() { Ok(()) } else { Err(why_not(connection, merchant, job).await?) };
    release_keys(connection, key).await?;
    Ok(outcome)
}

async fn why_not(connection: &mut PgConnection, merchant: MerchantId, job: JobId) -> StoreResult<Refusal> {
    let live: Option<(String, i32)> =
        sqlx::query_as("SELECT state, attempt FROM jobs_live WHERE merchant_id = $1 AND id = $2")
            .bind(merchant.0)
            .bind(job.0)
            .fetch_optional(connection)
            .await?;
    Ok(match live {
        None => Refusal::Ended(job),
        Some((state, 0)) if state == "scheduled" => Refusal::Due(job),
        Some(_) => Refusal::Started(job),
    })
}
