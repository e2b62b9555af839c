//! Writing what was planned: ledger, jobs, cursors.

use super::plan::{Plan, Planned};
use crate::domain::variables::{self, Values};
use crate::domain::{JobId, MerchantId, OccurrenceOutcome, Timetable};
use crate::planted::planted;
use crate::store::templates::job_columns::{JobColumns, OverlapColumns};
use crate::store::templates::row::{Definition, TemplateRow};
use crate::store::{StoreError, StoreResult};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

/// What one locked template gets.
pub(super) struct Entry<'a> {
    row: &'a TemplateRow,
    plan: Plan,
    columns: JobColumns,
    overlap: OverlapColumns,
    /// The template waits for the ends of its jobs.
    is_awaited: bool,
    /// Where the texts of its jobs have variables: the times around each.
    timetable: Option<Timetable<'a>>,
}

/// The texts of a job of its own, where they are not those of the template.
type OwnTexts = (Option<String>, Option<String>);

/// Where one locked template stands after this.
pub(super) struct Cursor {
    pub merchant: Uuid,
    pub template: Uuid,
    pub version: i32,
    pub cursor_at: DateTime<Utc>,
    pub next_at: Option<DateTime<Utc>>,
    /// `next_at` is the next nominal time, and not only when to look again.
    pub found_next: bool,
    pub runs: i64,
    /// What the schedule counts from next; none: as before.
    pub counted_from: Option<DateTime<Utc>>,
}

/// A job that was made from an occurrence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MaterialisedJob {
    /// Whose job.
    pub merchant: MerchantId,
    /// Which job.
    pub job: JobId,
    /// When it starts.
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
    /// Times without a job, by outcome.
    pub without_job: BTreeMap<OccurrenceOutcome, usize>,
}

impl<'a> Entry<'a> {
    pub fn new(row: &'a TemplateRow, definition: &Definition, plan: Plan, timetable: Timetable<'a>) -> Self {
        let mut overlap = OverlapColumns::of(definition.overlap, &definition.policies);
        if planted("overlap_unchecked") {
            overlap = OverlapColumns::NONE;
        }
        let columns = JobColumns::of(&definition.job);
        let timetable = columns.has_variables().then_some(timetable);
        Self { row, plan, columns, overlap, is_awaited: definition.waits_for_ends(), timetable }
    }

    /// Target and payload of the job of one occurrence.
    fn texts(&self, job: Option<Uuid>, at: DateTime<Utc>) -> OwnTexts {
        let (Some(job), Some(timetable)) = (job, &self.timetable) else { return (None, None) };
        let (previous, next) = timetable.neighbours(at);
        let (merchant, template) = (MerchantId(self.row.merchant_id), self.row.template());
        let values = Values { merchant, template, job: JobId(job), scheduled_for: at, previous, next };
        let payload = self.columns.payload.as_deref();
        let own = |text: &str| variables::at_birth(text, &values).into_owned();
        (Some(own(&self.columns.target)), payload.map(own))
    }

    pub fn cursor(&self) -> Cursor {
        Cursor {
            merchant: self.row.merchant_id,
            template: self.row.id,
            version: self.row.version,
            cursor_at: self.plan.cursor_at,
            next_at: self.plan.next_at,
            found_next: true,
            runs: self.plan.runs,
            counted_from: self.plan.counted_from,
        }
    }

    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Merchant and template.
    pub fn key(&self) -> (Uuid, Uuid) {
        (self.row.merchant_id, self.row.id)
    }

    /// The schedule has ended with this plan, and that means something for the template.
    pub fn has_just_ended(&self) -> bool {
        self.is_awaited && self.plan.next_at.is_none()
    }
}

/// Every nominal time is inserted unless it has a record; a job is inserted for each one that was.
/// $1…$16, $28 and $29: one element a template; $17…$24, $26 and $27: one element an occurrence, `n` counting the templates from 1.
const RECORD: &str = "
WITH spec AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int4[], $4::text[], $5::int2[], $6::int4[], $7::int4[], $8::int8[],
                         $9::bool[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[],
                         $16::bool[], $28::text[], $29::int4[])
             WITH ORDINALITY AS s (merchant_id, template_id, version, queue, priority, max_attempts, timeout_ms,
                                   deadline_us, overlap_skip, target, payload, backoff, metadata, external_id, overlap,
                                   is_awaited, concurrency_key, template_limit, n)
), planned AS (
    -- Only what identifies them: the payload of a template must not be copied for each of its times.
    SELECT s.merchant_id, s.template_id, s.version, p.*
      FROM unnest($17::int8[], $18::timestamptz[], $19::uuid[], $20::timestamptz[], $21::text[], $22::text[],
                  $23::timestamptz[], $24::bool[], $26::text[], $27::text[])
           AS p (n, nominal_at, job_id, run_at, outcome, reason, moved_to, catch_up, own_target, own_payload)
      JOIN spec s USING (n)
), recorded AS (
    INSERT INTO occurrences (merchant_id, template_id, nominal_at, outcome, reason, job_id, moved_to, version, created_at)
    SELECT merchant_id, template_id, nominal_at, outcome, reason, job_id, moved_to, version, $25
      FROM planned
     ORDER BY merchant_id, template_id, nominal_at
    ON CONFLICT DO NOTHING
    RETURNING job_id, outcome
), made AS (
    INSERT INTO jobs_live (merchant_id, id, template_id, state, run_at, scheduled_for, created_at, start_deadline_at,
                           priority, max_attempts, timeout_ms, has_dependents, overlap_skip, overlap, queue, lane,
                           target, payload, backoff, metadata, external_id, concurrency_key, template_limit)
    SELECT s.merchant_id, p.job_id, s.template_id, 'scheduled', p.run_at, p.nominal_at, $25,
           p.run_at + s.deadline_us * interval '1 microsecond',
           -- What is made up for comes after everything else.
           CASE WHEN p.catch_up THEN 9 ELSE s.priority END, s.max_attempts, s.timeout_ms, s.is_awaited,
           s.overlap_skip, s.overlap, s.queue,
           coalesce((SELECT q.lane FROM queues q WHERE q.merchant_id = s.merchant_id AND q.name = s.queue), 'default'),
           coalesce(p.own_target, s.target), coalesce(p.own_payload, s.payload), s.backoff, s.metadata::jsonb, s.external_id,
           s.concurrency_key, s.template_limit
      FROM planned p JOIN spec s ON s.n = p.n
     -- Written so that it is answered from a table in memory and never by a loop over all pairs.
     WHERE (p.job_id IN (SELECT r.job_id FROM recorded r)) IS TRUE
     ORDER BY s.merchant_id, p.job_id
    RETURNING merchant_id, id, run_at, priority, lane
)
SELECT NULL, 0::bigint, merchant_id, id, run_at, priority, lane FROM made
 UNION ALL
SELECT outcome, count(*), NULL, NULL, NULL, NULL, NULL FROM recorded WHERE job_id IS NULL GROUP BY outcome";

/// An outcome without jobs and how often there was one; or a job.
type RecordedRow =
    (Option<String>, i64, Option<Uuid>, Option<Uuid>, Option<DateTime<Utc>>, Option<i16>, Option<String>);

/// Records the occurrences of `entries` and makes their jobs, in one statement.
pub(super) async fn record(
    connection: &mut PgConnection,
    entries: &[Entry<'_>],
    now: DateTime<Utc>,
) -> StoreResult<Recorded> {
    let planned: Vec<(i64, Option<Uuid>, &Planned)> = (1_i64..)
        .zip(entries)
        .flat_map(|(n, entry)| entry.plan.occurrences.iter().map(move |planned| (n, planned)))
        .map(|(n, planned)| (n, planned.dispatched().then(|| JobId::new_at(now).0), planned))
        .collect();
    if planned.is_empty() {
        return Ok(Recorded::default());
    }
    let (targets, payloads) = own_texts(entries, &planned);
    let rows: Vec<RecordedRow> = sqlx::query_as(RECORD)
        .bind(column(entries, |e| e.row.merchant_id))
        .bind(column(entries, |e| e.row.id))
        .bind(column(entries, |e| e.row.version))
        .bind(column(entries, |e| e.columns.queue.as_str()))
        .bind(column(entries, |e| e.columns.priority))
        .bind(column(entries, |e| e.columns.max_attempts))
        .bind(column(entries, |e| e.columns.timeout_ms))
        .bind(column(entries, |e| e.columns.deadline_us))
        .bind(column(entries, |e| e.overlap.skip))
        .bind(column(entries, |e| e.columns.target.as_str()))
        .bind(column(entries, |e| e.columns.payload.as_deref()))
        .bind(column(entries, |e| e.columns.backoff.as_deref()))
        .bind(column(entries, |e| e.columns.metadata.as_deref()))
        .bind(column(entries, |e| e.columns.external_id.as_deref()))
        .bind(column(entries, |e| e.overlap.policy))
        .bind(column(entries, |e| e.is_awaited))
        .bind(planned.iter().map(|(n, ..)| *n).collect::<Vec<_>>())
        .bind(planned.iter().map(|(.., p)| p.at).collect::<Vec<_>>())
        .bind(planned.iter().map(|(_, job, _)| *job).collect::<Vec<_>>())
        .bind(planned.iter().map(|(.., p)| p.run_at).collect::<Vec<_>>())
        .bind(planned.iter().map(|(.., p)| p.outcome.as_str()).collect::<Vec<_>>())
        .bind(planned.iter().map(|(.., p)| p.reason.as_deref()).collect::<Vec<_>>())
        .bind(planned.iter().map(|(.., p)| p.moved_to).collect::<Vec<_>>())
        .bind(planned.iter().map(|(.., p)| p.catch_up).collect::<Vec<_>>())
        .bind(now)
        .bind(targets)
        .bind(payloads)
        .bind(column(entries, |e| e.columns.concurrency_key.as_deref()))
        .bind(column(entries, |e| e.overlap.limit))
        .fetch_all(connection)
        .await?;
    Ok(Recorded::of(rows))
}

/// Targets and payloads of the jobs that have texts of their own.
fn own_texts(
    entries: &[Entry<'_>],
    planned: &[(i64, Option<Uuid>, &Planned)],
) -> (Vec<Option<String>>, Vec<Option<String>>) {
    let texts = |(n, job, planned): &(i64, Option<Uuid>, &Planned)| {
        // `n` counts from 1.
        let entry = usize::try_from(n - 1).ok().and_then(|n| entries.get(n));
        entry.map_or((None, None), |entry| entry.texts(*job, planned.at))
    };
    planned.iter().map(texts).unzip()
}

fn column<'a, T>(entries: &'a [Entry<'_>], value: impl Fn(&'a Entry<'_>) -> T) -> Vec<T> {
    entries.iter().map(value).collect()
}

impl Recorded {
    fn of(rows: Vec<RecordedRow>) -> Self {
        let mut recorded = Self::default();
        for (outcome, count, merchant, job, run_at, priority, lane) in rows {
            if let (Some(merchant), Some(job), Some(run_at), Some(priority), Some(lane)) =
                (merchant, job, run_at, priority, lane)
            {
                let (merchant, job) = (MerchantId(merchant), JobId(job));
                recorded.jobs.push(MaterialisedJob { merchant, job, run_at, priority, lane });
            } else if let Some(outcome) = outcome.as_deref().and_then(OccurrenceOutcome::parse) {
                *recorded.without_job.entry(outcome).or_default() += usize::try_from(count).unwrap_or(0);
            }
        }
        recorded
    }
}

/// Moves the templates on. Their rows are locked, so each of them must still have its version.
pub(super) async fn advance(connection: &mut PgConnection, cursors: &[Cursor]) -> StoreResult<()> {
    let moved = sqlx::query(
        "UPDATE templates t SET cursor_at = c.cursor_at, next_at = c.next_at, runs = c.runs,
                found_next_at = CASE WHEN c.found_next THEN c.next_at ELSE t.found_next_at END,
                last_completion_at = coalesce(c.counted_from, t.last_completion_at)
           FROM unnest($1::uuid[], $2::uuid[], $3::int4[], $4::timestamptz[], $5::timestamptz[], $6::int8[],
                       $7::timestamptz[], $8::bool[])
                AS c (merchant_id, id, version, cursor_at, next_at, runs, counted_from, found_next)
          WHERE t.merchant_id = ANY (ARRAY[c.merchant_id]) AND t.id = c.id AND t.version = c.version",
    )
    .bind(cursors.iter().map(|c| c.merchant).collect::<Vec<_>>())
    .bind(cursors.iter().map(|c| c.template).collect::<Vec<_>>())
    .bind(cursors.iter().map(|c| c.version).collect::<Vec<_>>())
    .bind(cursors.iter().map(|c| c.cursor_at).collect::<Vec<_>>())
    .bind(cursors.iter().map(|c| c.next_at).collect::<Vec<_>>())
    .bind(cursors.iter().map(|c| c.runs).collect::<Vec<_>>())
    .bind(cursors.iter().map(|c| c.counted_from).collect::<Vec<_>>())
    .bind(cursors.iter().map(|c| c.found_next).collect::<Vec<_>>())
    .execute(connection)
    .await?
    .rows_affected();
    if moved != cursors.len() as u64 {
        let detail = format!("{moved} of {} locked templates had the version that was read", cursors.len());
        return Err(StoreError::corrupt("templates", "version", "a batch", detail));
    }
    Ok(())
}
