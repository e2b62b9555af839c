//! `cancel_other` and `terminate_other`: the earliest of the jobs in the way end, so that this one can start.
//!
//! What has never started becomes `skipped`: a later one took its place. What has is called off as by hand: it becomes
//! `cancelled`, at once while it waits for a retry, otherwise when its executor has stopped it. The ledger says for whom.
//!
//! The keys of this job and of those that have not started are taken together, in key order; so nobody starts while it is
//! decided, and a cancel or an edit of the job that displaces comes before or after the whole.

use super::in_the_way;
use crate::domain::{JobId, MerchantId};
use crate::store::columns::keys;
use crate::store::transitions::cancel::{Cancel, try_cancel};
use crate::store::transitions::claim_key::{release_keys, take_keys};
use crate::store::transitions::finish::finish_gone;
use crate::store::{Store, StoreResult};
use sqlx::PgConnection;
use uuid::Uuid;

/// In the way of a due job, first to last: which, whether it has started, whether it was called off already; and how
/// many may stay.
const OTHERS: &str = concat!(
    "SELECT o.id, o.has_started, o.is_called_off, coalesce(j.template_limit, 1)
       FROM jobs_live j
      CROSS JOIN LATERAL (",
    in_the_way!(
        "o.id, o.scheduled_for,
         o.attempt > 0 OR (SELECT c.token FROM claims c
                            WHERE c.merchant_id = o.merchant_id AND c.job_id = o.id) IS NOT NULL AS has_started,
         o.cancel_requested_at IS NOT NULL AS is_called_off",
        // More are ended by the next look.
        "2000"
    ),
    ") o
      WHERE j.merchant_id = $1 AND j.id = $2 AND j.state || '' = 'scheduled' AND j.run_at <= clock_timestamp()
      ORDER BY o.scheduled_for"
);

/// Never started, keys held.
const REPLACE: &str = concat!(
    "WITH gone AS (
         DELETE FROM jobs_live
          WHERE merchant_id = $1 AND id = ANY ($2) AND state || '' = 'scheduled' AND attempt = 0
         RETURNING *
     ), noted AS (
         UPDATE occurrences o SET outcome = 'skipped_overlap', reason = 'a later one took its place'
           FROM gone g
          WHERE o.merchant_id = ANY (ARRAY[g.merchant_id]) AND o.template_id = g.template_id
            AND o.nominal_at = g.scheduled_for AND o.job_id = g.id
     ) ",
    finish_gone!(false, "'skipped'", "'overlap'", "'a later job of the template took its place before it started'"),
    "RETURNING merchant_id, id"
);

/// The record of a job that has started says for whom it ends.
const NOTE: &str = "
    UPDATE occurrences o SET reason = 'asked to make way for the next one, by the overlap policy'
      FROM jobs_live j
     WHERE j.merchant_id = $1 AND j.id = $2
       AND o.merchant_id = j.merchant_id AND o.template_id = j.template_id AND o.nominal_at = j.scheduled_for
       AND o.job_id = j.id";

/// What became of the jobs in the way.
#[derive(Debug, Default)]
pub struct Displaced {
    /// Ended now: skipped before they started.
    pub skipped: Vec<(MerchantId, JobId)>,
    /// Ended now: cancelled between two attempts.
    pub cancelled: Vec<(MerchantId, JobId)>,
    /// Running, and asked to stop.
    pub asked: Vec<(MerchantId, JobId)>,
}

impl Store {
    /// Ends the earliest of the jobs in the way of a due one, so that few enough stay. Nothing happens when it may
    /// start, or when all of them were asked to stop before.
    ///
    /// # Errors
    /// When the database does not do it; doing it again is safe.
    pub async fn displace_others(&self, merchant: MerchantId, job: JobId) -> StoreResult<Displaced> {
        self.pool()
            .within(async {
                let (unstarted, started) = self.to_displace(merchant, job).await?;
                if unstarted.is_empty() && started.is_empty() {
                    return Ok(Displaced::default());
                }
                let mut transaction = self.pool().begin().await?;
                let displaced = displace(&mut transaction, merchant, job, &unstarted, &started).await?;
                transaction.commit().await?;
                Ok(displaced)
            })
            .await
    }

    /// Those that have to go and were not called off yet: who has not started, who has.
    async fn to_displace(&self, merchant: MerchantId, job: JobId) -> StoreResult<(Vec<JobId>, Vec<JobId>)> {
        let others: Vec<(Uuid, bool, bool, i32)> =
            sqlx::query_as(OTHERS).bind(merchant.0).bind(job.0).fetch_all(self.pool()).await?;
        let may_stay = others.first().map_or(1, |other| usize::try_from(other.3).unwrap_or(1));
        // This one is to be the last of `may_stay` jobs.
        let too_many = (others.len() + 1).saturating_sub(may_stay);
        let (mut unstarted, mut started) = (Vec::new(), Vec::new());
        for (id, has_started, is_called_off, _) in others.into_iter().take(too_many) {
            match (has_started, is_called_off) {
                (false, _) => unstarted.push(JobId(id)),
                (true, false) => started.push(JobId(id)),
                (true, true) => {}
            }
        }
        Ok((unstarted, started))
    }
}

async fn displace(
    connection: &mut PgConnection,
    merchant: MerchantId,
    job: JobId,
    unstarted: &[JobId],
    started: &[JobId],
) -> StoreResult<Displaced> {
    let wanted: Vec<_> = unstarted.iter().chain([&job]).map(|job| (merchant, *job)).collect();
    let held = take_keys(connection, &wanted).await?;
    let mut displaced = Displaced::default();
    if held.jobs().contains(&job.0) && still_waits(connection, merchant, job).await? {
        let replaced: Vec<Uuid> = held.jobs().iter().copied().filter(|held| *held != job.0).collect();
        let rows: Vec<(Uuid, Uuid)> =
            sqlx::query_as(REPLACE).bind(merchant.0).bind(&replaced).fetch_all(&mut *connection).await?;
        displaced.skipped = keys(rows);
        for other in started {
            call_off(connection, merchant, *other, &mut displaced).await?;
        }
    }
    release_keys(connection, held).await?;
    Ok(displaced)
}

/// Whether the job that displaces is still there and due: somebody may have called it off or moved it.
async fn still_waits(connection: &mut PgConnection, merchant: MerchantId, job: JobId) -> StoreResult<bool> {
    let waits: Option<bool> = sqlx::query_scalar(
        "SELECT true FROM jobs_live WHERE merchant_id = $1 AND id = $2 AND state = 'scheduled' AND run_at <= clock_timestamp()",
    )
    .bind(merchant.0)
    .bind(job.0)
    .fetch_optional(connection)
    .await?;
    Ok(waits.is_some())
}

/// One that has started. None of the answers is an error: it may have ended by itself.
async fn call_off(
    connection: &mut PgConnection,
    merchant: MerchantId,
    other: JobId,
    displaced: &mut Displaced,
) -> StoreResult<()> {
    sqlx::query(NOTE).bind(merchant.0).bind(other.0).execute(&mut *connection).await?;
    match try_cancel(connection, merchant, other).await? {
        Some(Cancel::Cancelled { .. }) => displaced.cancelled.push((merchant, other)),
        Some(Cancel::Requested) => displaced.asked.push((merchant, other)),
        // Its claim went while we looked at it, or it has ended: the next look tells.
        Some(Cancel::NotLive) | None => {}
    }
    Ok(())
}
