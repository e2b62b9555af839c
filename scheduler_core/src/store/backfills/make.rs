//! Making the jobs of a backfill, with their records.

use super::judge::Seen;
use super::row::BackfillRow;
use crate::domain::variables::{self, Values};
use crate::domain::{JobId, MerchantId};
use crate::store::StoreResult;
use crate::store::materialise::{MaterialisedJob, Single};
use crate::store::templates::job_columns::JobColumns;
use crate::store::templates::row::TemplateRow;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// After everything else, like what is made up for.
const PRIORITY: i16 = 9;

/// A nominal time that gets a job.
pub(super) struct Wanted {
    pub at: DateTime<Utc>,
    /// Its record as it was judged; none: there was none.
    pub seen: Option<Seen>,
    /// What it was, in words.
    pub reason: String,
}

/// A record takes the place of the one that was judged, if it still is that one; a new one is only inserted where there is none.
/// A job is made for each record. $5…$11: one element a time.
const MAKE: &str = "
WITH planned AS (
    SELECT * FROM unnest($5::timestamptz[], $6::uuid[], $7::text[], $8::text[], $9::uuid[], $10::text[], $11::text[])
                  AS p (nominal_at, job_id, reason, seen_outcome, seen_job, own_target, own_payload)
), replaced AS (
    UPDATE occurrences o
       SET outcome = 'backfilled', reason = p.reason, job_id = p.job_id, moved_to = NULL, version = $3, created_at = $12,
           backfill_id = $4,
           replaced = jsonb_build_object('outcome', o.outcome, 'reason', o.reason, 'job_id', o.job_id, 'moved_to', o.moved_to,
                                         'version', o.version, 'created_at', o.created_at, 'backfill_id', o.backfill_id)
      FROM planned p
     WHERE o.merchant_id = $1 AND o.template_id = $2 AND o.nominal_at = p.nominal_at
       AND o.nominal_at >= $13 AND o.nominal_at <= $14
       AND o.outcome = p.seen_outcome AND o.job_id IS NOT DISTINCT FROM p.seen_job
    RETURNING o.job_id
), recorded AS (
    INSERT INTO occurrences (merchant_id, template_id, nominal_at, outcome, reason, job_id, version, created_at, backfill_id)
    SELECT $1, $2, p.nominal_at, 'backfilled', p.reason, p.job_id, $3, $12, $4
      FROM planned p WHERE p.seen_outcome IS NULL
     ORDER BY p.nominal_at
    ON CONFLICT DO NOTHING
    RETURNING job_id
)
INSERT INTO jobs_live (merchant_id, id, template_id, backfill_id, state, run_at, scheduled_for, created_at,
                       start_deadline_at, priority, max_attempts, timeout_ms, has_dependents, queue, lane, target, payload,
                       backoff, metadata, external_id, concurrency_key)
SELECT $1, p.job_id, $2, $4, 'scheduled', $12, p.nominal_at, $12, $12 + $15 * interval '1 microsecond', $16, $17, $18,
       -- Each end is told, so that the next one follows at once.
       true, $19,
       coalesce((SELECT q.lane FROM queues q WHERE q.merchant_id = $1 AND q.name = $19), 'default'),
       coalesce(p.own_target, $20), coalesce(p.own_payload, $21), $22, $23::jsonb, $24, $25
  FROM planned p
 -- Answered from a table in memory and never by a loop over all pairs.
 WHERE (p.job_id IN (SELECT r.job_id FROM replaced r UNION ALL SELECT r.job_id FROM recorded r)) IS TRUE
 ORDER BY p.job_id
RETURNING id, lane";

/// Makes the jobs of these times, which are due now. Returns those that were made: somebody else may have been first.
pub(super) async fn make(
    connection: &mut PgConnection,
    backfill: &BackfillRow,
    row: &TemplateRow,
    single: &Single<'_>,
    wanted: &[Wanted],
    now: DateTime<Utc>,
) -> StoreResult<Vec<MaterialisedJob>> {
    let (Some(first), Some(last)) = (wanted.iter().map(|it| it.at).min(), wanted.iter().map(|it| it.at).max()) else {
        return Ok(Vec::new());
    };
    let columns = JobColumns::of(single.job());
    let jobs: Vec<Uuid> = wanted.iter().map(|_| JobId::new_at(now).0).collect();
    let texts = wanted.iter().zip(&jobs).map(|(wanted, job)| own_texts(&columns, row, single, wanted.at, JobId(*job)));
    let (targets, payloads): (Vec<_>, Vec<_>) = texts.unzip();
    let made: Vec<(Uuid, String)> = sqlx::query_as(MAKE)
        .bind(row.merchant_id)
        .bind(row.id)
        .bind(row.version)
        .bind(backfill.id)
        .bind(wanted.iter().map(|it| it.at).collect::<Vec<_>>())
        .bind(&jobs)
        .bind(wanted.iter().map(|it| it.reason.as_str()).collect::<Vec<_>>())
        .bind(wanted.iter().map(|it| it.seen.as_ref().map(|seen| seen.outcome.as_str())).collect::<Vec<_>>())
        .bind(wanted.iter().map(|it| it.seen.as_ref().and_then(|seen| seen.job)).collect::<Vec<_>>())
        .bind(targets)
        .bind(payloads)
        .bind(now)
        .bind(first)
        .bind(last)
        .bind(columns.deadline_us)
        .bind(PRIORITY)
        .bind(columns.max_attempts)
        .bind(columns.timeout_ms)
        .bind(&columns.queue)
        .bind(&columns.target)
        .bind(&columns.payload)
        .bind(&columns.backoff)
        .bind(&columns.metadata)
        .bind(&columns.external_id)
        .bind(&columns.concurrency_key)
        .fetch_all(connection)
        .await?;
    let merchant = MerchantId(row.merchant_id);
    let announced = |(job, lane)| MaterialisedJob { merchant, job: JobId(job), run_at: now, priority: PRIORITY, lane };
    Ok(made.into_iter().map(announced).collect())
}

/// Target and payload of one job, where they are not those of the template.
fn own_texts(
    columns: &JobColumns,
    row: &TemplateRow,
    single: &Single<'_>,
    at: DateTime<Utc>,
    job: JobId,
) -> (Option<String>, Option<String>) {
    if !columns.has_variables() {
        return (None, None);
    }
    let (previous, next) = single.timetable().neighbours(at);
    let (merchant, template) = (MerchantId(row.merchant_id), row.template());
    let values = Values { merchant, template, job, scheduled_for: at, previous, next };
    let own = |text: &str| variables::at_birth(text, &values).into_owned();
    (Some(own(&columns.target)), columns.payload.as_deref().map(own))
}
