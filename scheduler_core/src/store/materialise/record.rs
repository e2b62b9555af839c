//! Writing what was planned: ledger, jobs, cursors.

use super::plan::Plan;
use crate::domain::{JobId, MerchantId};
use crate::store::templates::job_columns::JobColumns;
use crate::store::templates::row::{Definition, TemplateRow};
use crate::store::{StoreError, StoreResult};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// What one locked template gets.
pub(super) struct Entry<'a> {
    row: &'a TemplateRow,
    plan: Plan,
    columns: JobColumns,
    overlap_skip: bool,
}

/// Where one locked template stands after this.
pub(super) struct Cursor {
    pub merchant: Uuid,
    pub template: Uuid,
    pub version: i32,
    pub cursor_at: DateTime<Utc>,
    pub next_at: Option<DateTime<Utc>>,
}

/// A job that was made from an occurrence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MaterialisedJob {
    /// Whose job.
    pub merchant: MerchantId,
    /// Which job.
    pub job: JobId,
    /// Its nominal time.
    pub run_at: DateTime<Utc>,
    /// 0 to 9.
    pub priority: i16,
    /// The lane of its queue.
    pub lane: String,
}

/// What was new in the ledger.
#[derive(Default, Debug)]
pub(super) struct Recorded {
    pub jobs: Vec<MaterialisedJob>,
    pub missed: usize,
}

impl<'a> Entry<'a> {
    pub fn new(row: &'a TemplateRow, definition: &Definition, plan: Plan) -> Self {
        let columns = JobColumns::of(&definition.job);
        let overlap_skip = definition.overlap == crate::domain::OverlapPolicy::Skip;
        Self { row, plan, columns, overlap_skip }
    }

    pub fn cursor(&self) -> Cursor {
        Cursor {
            merchant: self.row.merchant_id,
            template: self.row.id,
            version: self.row.version,
            cursor_at: self.plan.cursor_at,
            next_at: self.plan.next_at,
        }
    }

    pub fn plan(&self) -> &Plan {
        &self.plan
    }
}

/// Every nominal time is inserted unless it has a record; a job is inserted for each one that was.
/// $1…$14: one element a template; $15…$17: one element an occurrence, `n` counting the templates from 1.
const RECORD: &str = "
WITH spec AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int4[], $4::text[], $5::int2[], $6::int4[], $7::int4[], $8::int8[],
                         $9::bool[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[])
             WITH ORDINALITY AS s (merchant_id, template_id, version, queue, priority, max_attempts, timeout_ms,
                                   deadline_us, overlap_skip, target, payload, backoff, metadata, external_id, n)
), planned AS (
    SELECT s.merchant_id, s.template_id, s.version, p.nominal_at, p.job_id
      FROM unnest($15::int8[], $16::timestamptz[], $17::uuid[]) AS p (n, nominal_at, job_id) JOIN spec s USING (n)
), recorded AS (
    INSERT INTO occurrences (merchant_id, template_id, nominal_at, outcome, job_id, version, created_at)
    SELECT merchant_id, template_id, nominal_at,
           CASE WHEN job_id IS NULL THEN 'missed_window' ELSE 'dispatched' END, job_id, version, $18
      FROM planned
     ORDER BY merchant_id, template_id, nominal_at
    ON CONFLICT DO NOTHING
    RETURNING merchant_id, template_id, nominal_at, job_id
), made AS (
    INSERT INTO jobs_live (merchant_id, id, template_id, state, run_at, scheduled_for, created_at, start_deadline_at,
                           priority, max_attempts, timeout_ms, overlap_skip, queue, lane, target, payload, backoff,
                           metadata, external_id)
    SELECT s.merchant_id, r.job_id, s.template_id, 'scheduled', r.nominal_at, r.nominal_at, $18,
           r.nominal_at + s.deadline_us * interval '1 microsecond',
           s.priority, s.max_attempts, s.timeout_ms, s.overlap_skip, s.queue,
           coalesce((SELECT q.lane FROM queues q WHERE q.merchant_id = s.merchant_id AND q.name = s.queue), 'default'),
           s.target, s.payload, s.backoff, s.metadata::jsonb, s.external_id
      FROM recorded r
      JOIN spec s USING (merchant_id, template_id)
     WHERE r.job_id IS NOT NULL
     ORDER BY r.merchant_id, r.job_id
    RETURNING merchant_id, id, priority, lane
)
SELECT r.merchant_id, r.nominal_at, r.job_id, m.priority, m.lane
  FROM recorded r LEFT JOIN made m ON m.merchant_id = r.merchant_id AND m.id = r.job_id";

type RecordedRow = (Uuid, DateTime<Utc>, Option<Uuid>, Option<i16>, Option<String>);

/// Records the occurrences of `entries` and makes their jobs, in one statement.
pub(super) async fn record(
    connection: &mut PgConnection,
    entries: &[Entry<'_>],
    now: DateTime<Utc>,
) -> StoreResult<Recorded> {
    let occurrences: Vec<_> = (1_i64..)
        .zip(entries)
        .flat_map(|(n, entry)| entry.plan.occurrences.iter().map(move |occurrence| (n, occurrence)))
        .map(|(n, occurrence)| (n, occurrence.at, occurrence.dispatched.then(|| JobId::new_at(now).0)))
        .collect();
    if occurrences.is_empty() {
        return Ok(Recorded::default());
    }
    let rows: Vec<RecordedRow> = sqlx::query_as(RECORD)
        .bind(column(entries, |e| e.row.merchant_id))
        .bind(column(entries, |e| e.row.id))
        .bind(column(entries, |e| e.row.version))
        .bind(column(entries, |e| e.columns.queue.as_str()))
        .bind(column(entries, |e| e.columns.priority))
        .bind(column(entries, |e| e.columns.max_attempts))
        .bind(column(entries, |e| e.columns.timeout_ms))
        .bind(column(entries, |e| e.columns.deadline_us))
        .bind(column(entries, |e| e.overlap_skip))
        .bind(column(entries, |e| e.columns.target.as_str()))
        .bind(column(entries, |e| e.columns.payload.as_deref()))
        .bind(column(entries, |e| e.columns.backoff.as_deref()))
        .bind(column(entries, |e| e.columns.metadata.as_deref()))
        .bind(column(entries, |e| e.columns.external_id.as_deref()))
        .bind(occurrences.iter().map(|o| o.0).collect::<Vec<_>>())
        .bind(occurrences.iter().map(|o| o.1).collect::<Vec<_>>())
        .bind(occurrences.iter().map(|o| o.2).collect::<Vec<_>>())
        .bind(now)
        .fetch_all(connection)
        .await?;
    Ok(Recorded::of(rows))
}

fn column<'a, T>(entries: &'a [Entry<'_>], value: impl Fn(&'a Entry<'_>) -> T) -> Vec<T> {
    entries.iter().map(value).collect()
}

impl Recorded {
    fn of(rows: Vec<RecordedRow>) -> Self {
        let total = rows.len();
        let jobs: Vec<_> = rows
            .into_iter()
            .filter_map(|(merchant, run_at, job, priority, lane)| {
                let (job, priority, lane) = (JobId(job?), priority?, lane?);
                Some(MaterialisedJob { merchant: MerchantId(merchant), job, run_at, priority, lane })
            })
            .collect();
        Self { missed: total - jobs.len(), jobs }
    }
}

/// Moves the templates on. Their rows are locked, so each of them must still have its version.
pub(super) async fn advance(connection: &mut PgConnection, cursors: &[Cursor]) -> StoreResult<()> {
    let moved = sqlx::query(
        "UPDATE templates t SET cursor_at = c.cursor_at, next_at = c.next_at
           FROM unnest($1::uuid[], $2::uuid[], $3::int4[], $4::timestamptz[], $5::timestamptz[])
                AS c (merchant_id, id, version, cursor_at, next_at)
          WHERE t.merchant_id = ANY (ARRAY[c.merchant_id]) AND t.id = c.id AND t.version = c.version",
    )
    .bind(cursors.iter().map(|c| c.merchant).collect::<Vec<_>>())
    .bind(cursors.iter().map(|c| c.template).collect::<Vec<_>>())
    .bind(cursors.iter().map(|c| c.version).collect::<Vec<_>>())
    .bind(cursors.iter().map(|c| c.cursor_at).collect::<Vec<_>>())
    .bind(cursors.iter().map(|c| c.next_at).collect::<Vec<_>>())
    .execute(connection)
    .await?
    .rows_affected();
    if moved != cursors.len() as u64 {
        let detail = format!("{moved} of {} locked templates had the version that was read", cursors.len());
        return Err(StoreError::corrupt("templates", "version", "a batch", detail));
    }
    Ok(())
}
