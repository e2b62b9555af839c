//! `blocked | scheduled | retrying | failed` → `cancelled`, and the request to cancel a running job.

use super::claim_key::{release_keys, take_keys};
use super::finish::finish_gone;
use crate::domain::{JobId, MerchantId};
use crate::planted::planted;
use crate::store::{Store, StoreResult};
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

/// What came of a cancel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cancel {
    /// The job was waiting and is cancelled now.
    Cancelled {
        /// Some blocked job waits for it.
        has_dependents: bool,
    },
    /// The job runs; its executor is asked to stop it. Asking twice keeps the first time.
    Requested,
    /// There is no live job with this id: it has ended, or never was.
    NotLive,
}

/// Under the claim key.
const CANCEL: &str = concat!(
    "WITH gone AS (
         DELETE FROM jobs_live WHERE merchant_id = $1 AND id = $2
            AND state IN ('blocked', 'scheduled', 'retrying', 'failed')
         RETURNING *
     ), waits AS (
         DELETE FROM job_dependencies WHERE merchant_id = $1 AND child_id = $2
     ) ",
    finish_gone!(false, "'cancelled'", "'cancelled'", "g.last_error"),
    " RETURNING has_dependents"
);

impl Store {
    /// Calls a job off.
    ///
    /// # Errors
    /// When the database does not do it. Doing it again is safe.
    pub async fn cancel(&self, merchant: MerchantId, job: JobId) -> StoreResult<Cancel> {
        self.pool()
            .within(async {
                if planted("cancel_only_in_redis") {
                    return Ok(Cancel::Requested);
                }
                loop {
                    let mut transaction = self.pool().begin().await?;
                    let outcome = try_cancel(&mut transaction, merchant, job).await?;
                    transaction.commit().await?;
                    // None: the claim went while we looked at it; now nobody is in the way.
                    if let Some(outcome) = outcome {
                        return Ok(outcome);
                    }
                }
            })
            .await
    }
}

/// Calls a job off in the caller's transaction. None: its claim went while we looked at it; try again.
///
/// # Errors
/// When the database does not do it.
pub(crate) async fn try_cancel(
    connection: &mut PgConnection,
    merchant: MerchantId,
    job: JobId,
) -> StoreResult<Option<Cancel>> {
    let key = take_keys(connection, &[(merchant, job)]).await?;
    if key.is_empty() {
        return request(connection, merchant, job).await;
    }
    let row = sqlx::query(CANCEL).bind(merchant.0).bind(job.0).fetch_optional(&mut *connection).await?;
    release_keys(connection, key).await?;
    Ok(Some(match row {
        Some(row) => Cancel::Cancelled { has_dependents: row.try_get(0)? },
        None => Cancel::NotLive,
    }))
}

/// The lock on the claim keeps it from being given back or ended before the request is written; whoever waits for the
/// lock looks at the live row afterwards.
async fn request(connection: &mut PgConnection, merchant: MerchantId, job: JobId) -> StoreResult<Option<Cancel>> {
    let claim: Option<Uuid> =
        sqlx::query_scalar("SELECT token FROM claims WHERE merchant_id = $1 AND job_id = $2 FOR UPDATE")
            .bind(merchant.0)
            .bind(job.0)
            .fetch_optional(&mut *connection)
            .await?;
    if claim.is_none() {
        return Ok(None);
    }
    let marked = sqlx::query(
        "UPDATE jobs_live SET cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp())
          WHERE merchant_id = $1 AND id = $2",
    )
    .bind(merchant.0)
    .bind(job.0)
    .execute(connection)
    .await?;
    Ok(Some(if marked.rows_affected() == 1 { Cancel::Requested } else { Cancel::NotLive }))
}
