//! Taking back the jobs of a template that are not due yet, so that what the template says next counts for them.

use crate::domain::{JobId, MerchantId, TemplateId};
use crate::store::StoreResult;
use crate::store::plans::plan_by_key;
use crate::store::transitions::claim_key::{release_keys, take_keys};
use crate::store::transitions::finish::finish_gone;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// Which jobs go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scope {
    /// Those of nominal times to come. One whose nominal time has passed and whose start was put off (jitter, a freeze
    /// window, a move) stands.
    ToCome,
    /// Those too: nothing of the template starts any more. The text is the reason in the ledger.
    Everything(&'static str),
}

/// An occurrence that somebody has moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Move {
    pub nominal_at: DateTime<Utc>,
    pub moved_to: DateTime<Utc>,
}

/// What was taken back.
#[derive(Debug, Default)]
pub(crate) struct Withdrawn {
    /// How many jobs.
    pub cancelled: u64,
    /// The moved occurrences among them.
    pub moved: Vec<Move>,
}

/// The jobs that look as if they could be taken back. A redriven job is no occurrence, nor is that of a backfill.
const CANDIDATES: &str = "
SELECT id FROM jobs_live
 WHERE merchant_id = $1 AND template_id = $2 AND (scheduled_for > $3 OR $4) AND run_at > $3
   AND state = 'scheduled' AND attempt = 0 AND redriven_from IS NULL AND backfill_id IS NULL";

/// Ends the jobs whose keys are held, and forgets their occurrences, but for those whose nominal time has passed: they get
/// an outcome. `scheduled` → cancelled.
const WITHDRAW: &str = concat!(
    "WITH gone AS (
        DELETE FROM jobs_live j USING unnest($1::uuid[], $2::uuid[]) AS h (merchant_id, id)
         WHERE j.merchant_id = ANY (ARRAY[h.merchant_id]) AND j.id = h.id
           AND j.run_at > $3 AND j.state || '' = 'scheduled' AND j.attempt = 0
        RETURNING j.*
    ), forgotten AS (
        DELETE FROM occurrences o USING gone g
         WHERE o.merchant_id = ANY (ARRAY[g.merchant_id]) AND o.template_id = g.template_id
           AND o.nominal_at = g.scheduled_for AND o.job_id = g.id AND o.nominal_at > $3
        RETURNING o.nominal_at, o.moved_to
    ), noted AS (
        UPDATE occurrences o SET outcome = 'missed_paused', reason = $4
          FROM gone g
         WHERE o.merchant_id = ANY (ARRAY[g.merchant_id]) AND o.template_id = g.template_id
           AND o.nominal_at = g.scheduled_for AND o.job_id = g.id AND o.nominal_at <= $3
    ), finished AS (",
    finish_gone!(false, "'cancelled'", "'template_changed'", "g.last_error"),
    ")
    SELECT (SELECT count(*) FROM gone), array_remove(array_agg(CASE WHEN moved_to IS NOT NULL THEN nominal_at END), NULL),
           array_remove(array_agg(moved_to), NULL)
      FROM forgotten"
);

type WithdrawnRow = (i64, Option<Vec<DateTime<Utc>>>, Option<Vec<DateTime<Utc>>>);

/// Cancels the jobs of a template that are planned after `now`, unclaimed and never attempted (reason
/// `template_changed`), and removes their occurrences from the ledger, so that the same nominal times may be recorded
/// anew. A job that is running stands, and so does its occurrence.
///
/// The caller holds the lock of the template's row, so no new ones appear meanwhile.
pub(crate) async fn withdraw(
    connection: &mut PgConnection,
    merchant: MerchantId,
    template: TemplateId,
    scope: Scope,
    now: DateTime<Utc>,
) -> StoreResult<Withdrawn> {
    let candidates: Vec<Uuid> = sqlx::query_scalar(CANDIDATES)
        .bind(merchant.0)
        .bind(template.0)
        .bind(now)
        .bind(scope != Scope::ToCome)
        .fetch_all(&mut *connection)
        .await?;
    let reason = match scope {
        Scope::ToCome => None,
        Scope::Everything(reason) => Some(reason),
    };
    withdraw_jobs(connection, merchant, candidates, reason, now).await
}

/// [`withdraw`] of some jobs, as far as they are neither due nor running. `reason`: of those whose nominal time has passed.
pub(crate) async fn withdraw_jobs(
    connection: &mut PgConnection,
    merchant: MerchantId,
    jobs: Vec<Uuid>,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> StoreResult<Withdrawn> {
    if jobs.is_empty() {
        return Ok(Withdrawn::default());
    }
    let wanted: Vec<_> = jobs.into_iter().map(|job| (merchant, JobId(job))).collect();
    let held = take_keys(connection, &wanted).await?;
    plan_by_key(connection).await?;
    let (cancelled, nominal, moved): WithdrawnRow = sqlx::query_as(WITHDRAW)
        .bind(held.merchants())
        .bind(held.jobs())
        .bind(now)
        .bind(reason)
        .fetch_one(&mut *connection)
        .await?;
    release_keys(connection, held).await?;
    let moved = nominal.unwrap_or_default().into_iter().zip(moved.unwrap_or_default());
    let moved = moved.map(|(nominal_at, moved_to)| Move { nominal_at, moved_to }).collect();
    Ok(Withdrawn { cancelled: cancelled.unsigned_abs(), moved })
}
