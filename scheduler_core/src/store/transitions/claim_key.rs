//! Taking the claim keys of jobs that are not running, for the length of one transaction.
//!
//! The key of a job in `claims` is its mutex: while it is held nobody is granted the job. Cancel, run-now, expiry
//! and overlap work alike, in one transaction:
//!
//! 1. [`take_keys`]. This may wait for somebody who holds a key in an open transaction (a claim, a result).
//! 2. Look at the jobs *in a second statement*: its snapshot is younger than whatever the keys waited for.
//! 3. Do the work, on the jobs whose keys were taken.
//! 4. [`release_keys`], of all of them, and commit.
//!
//! The keys go before the commit, so nobody ever sees them: a row with the nil session is never visible.

use crate::domain::{JobId, MerchantId, Token};
use crate::store::StoreResult;
use crate::store::columns::key_columns;
use sqlx::PgConnection;
use uuid::Uuid;

/// Keys of jobs, held until they are released or the transaction is rolled back.
#[derive(Debug)]
pub(crate) struct HeldKeys {
    token: Token,
    merchants: Vec<Uuid>,
    jobs: Vec<Uuid>,
}

impl HeldKeys {
    /// The merchants of the jobs whose keys are held, to be bound beside [`HeldKeys::jobs`].
    pub(crate) fn merchants(&self) -> &[Uuid] {
        &self.merchants
    }

    /// The jobs whose keys are held, in the order of [`HeldKeys::merchants`].
    pub(crate) fn jobs(&self) -> &[Uuid] {
        &self.jobs
    }

    /// Whether no key was taken: everybody runs, or is just being claimed.
    pub(crate) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }
}

/// Takes the keys of those jobs that nobody holds, in key order, so that two who take several never wait for each
/// other in a circle. What is not among the keys afterwards has a claim: it runs.
///
/// A key says nothing about the job: it may be finished, or never have been. That is for the second statement.
///
/// # Errors
/// When the database does not answer or a key was waited for too long; the transaction is then over.
pub(crate) async fn take_keys(connection: &mut PgConnection, wanted: &[(MerchantId, JobId)]) -> StoreResult<HeldKeys> {
    let (wanted_merchants, wanted_jobs) = key_columns(wanted);
    let token = Token::random();
    let taken: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "INSERT INTO claims (merchant_id, job_id, token, session_id, granted_at)
         SELECT w.merchant_id, w.job_id, $3, $4, clock_timestamp()
           FROM unnest($1::uuid[], $2::uuid[]) AS w (merchant_id, job_id)
          ORDER BY w.merchant_id, w.job_id
         ON CONFLICT DO NOTHING
         RETURNING merchant_id, job_id",
    )
    .bind(wanted_merchants)
    .bind(wanted_jobs)
    .bind(token.0)
    .bind(Uuid::nil())
    .fetch_all(connection)
    .await?;
    let (merchants, jobs) = taken.into_iter().unzip();
    Ok(HeldKeys { token, merchants, jobs })
}

/// Gives the keys back, those of jobs that are gone by now included.
///
/// # Errors
/// When the database does not answer; the transaction is then over, and the keys with it.
pub(crate) async fn release_keys(connection: &mut PgConnection, held: HeldKeys) -> StoreResult<()> {
    if held.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "DELETE FROM claims c USING unnest($1::uuid[], $2::uuid[]) AS h (merchant_id, job_id)
          WHERE c.merchant_id = ANY (ARRAY[h.merchant_id]) AND c.job_id = h.job_id AND c.token = $3",
    )
    .bind(held.merchants)
    .bind(held.jobs)
    .bind(held.token.0)
    .execute(connection)
    .await?;
    Ok(())
}
