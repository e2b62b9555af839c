//! The columns of a job in both tables, and from them the job.

use crate::domain::{BackfillId, Job, JobId, JobState, RunIf, SessionId, Target, TemplateId};
use crate::store::{StoreError, StoreResult};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

/// Everything but the payload, of a live job `j` with its claim `c` and its last ended attempt `e`.
pub(in crate::store) const LIVE_COLUMNS: &str = "
    j.id, CASE WHEN c.job_id IS NOT NULL THEN 'running' ELSE j.state END AS state, NULL::text AS reason,
    j.attempt + (c.job_id IS NOT NULL)::integer AS attempt, j.max_attempts, j.crashes, j.run_at, j.scheduled_for,
    j.created_at, coalesce(c.granted_at, e.started_at) AS started_at, NULL::timestamptz AS finished_at,
    j.start_deadline_at, j.cancel_requested_at, j.queue, j.priority, j.target, j.backoff, j.timeout_ms, j.template_id,
    j.backfill_id, j.redriven_from, j.run_if, j.dedupe_key, j.concurrency_key, j.external_id, j.metadata, j.traceparent, j.last_error,
    coalesce(c.session_id, e.session_id) AS session_id";

/// Where they come from. An execution ends after its job's creation, which leaves out older partitions.
pub(super) const LIVE: &str = "
    FROM jobs_live j
    -- By key for each row: joined as a table, claims that statistics call empty are read whole for each job.
    LEFT JOIN LATERAL (SELECT c.* FROM claims c
                        WHERE c.merchant_id = ANY (ARRAY[j.merchant_id]) AND c.job_id = j.id OFFSET 0) c ON true
    LEFT JOIN LATERAL (
         SELECT x.started_at, x.session_id FROM executions x
          WHERE c.job_id IS NULL AND j.attempt > 0 AND x.merchant_id = j.merchant_id AND x.job_id = j.id
            AND x.finished_at >= j.created_at
          ORDER BY x.attempt DESC LIMIT 1) e ON true";

/// The same of a finished job `f`; the last attempt `e` of one whose end belongs to no execution (a dead letter).
pub(in crate::store) const FINISHED_COLUMNS: &str = "
    f.id, f.state, f.reason, f.attempt, f.max_attempts, f.crashes, f.run_at, f.scheduled_for, f.created_at,
    coalesce(f.started_at, e.started_at) AS started_at, f.finished_at, f.start_deadline_at,
    NULL::timestamptz AS cancel_requested_at, f.queue, f.priority, f.target, f.backoff, f.timeout_ms, f.template_id,
    f.backfill_id, f.redriven_from, f.run_if, f.dedupe_key, f.concurrency_key, f.external_id, f.metadata, f.traceparent, f.last_error,
    coalesce(f.session_id, e.session_id) AS session_id";

/// Where they come from.
pub(super) const FINISHED: &str = "
    FROM jobs_finished f
    LEFT JOIN LATERAL (
         SELECT x.started_at, x.session_id FROM executions x
          WHERE f.execution_id IS NULL AND f.attempt > 0 AND x.merchant_id = f.merchant_id AND x.job_id = f.id
            AND x.finished_at BETWEEN f.created_at AND f.finished_at + interval '1 minute'
          ORDER BY x.attempt DESC LIMIT 1) e ON true";

/// A row of those columns as a job.
pub(super) fn job(row: PgRow) -> StoreResult<Job> {
    let id: Uuid = row.try_get("id")?;
    let backoff: Option<String> = row.try_get("backoff")?;
    let payload: Option<String> = row.try_get("payload")?;
    let run_if: Option<String> = row.try_get("run_if")?;
    let timeout_ms: i32 = row.try_get("timeout_ms")?;
    let raw = |text| RawValue::from_string(text).map_err(|why| StoreError::corrupt("jobs", "payload", id, why));
    Ok(Job {
        id: JobId(id),
        state: state(&row.try_get::<String, _>("state")?, id)?,
        reason: row.try_get("reason")?,
        attempt: row.try_get("attempt")?,
        max_attempts: row.try_get("max_attempts")?,
        crashes: row.try_get("crashes")?,
        run_at: row.try_get("run_at")?,
        scheduled_for: row.try_get("scheduled_for")?,
        created_at: row.try_get("created_at")?,
        started_at: row.try_get("started_at")?,
        finished_at: row.try_get("finished_at")?,
        start_deadline_at: row.try_get("start_deadline_at")?,
        cancel_requested_at: row.try_get("cancel_requested_at")?,
        queue: row.try_get("queue")?,
        priority: row.try_get("priority")?,
        target: json::<Target>(&row.try_get::<String, _>("target")?, "target", id)?,
        payload: payload.map(raw).transpose()?,
        payload_omitted: row.try_get("payload_omitted")?,
        backoff: backoff.map(|text| json(&text, "backoff", id)).transpose()?.unwrap_or_default(),
        timeout_seconds: f64::from(timeout_ms) / 1000.0,
        template_id: row.try_get::<Option<Uuid>, _>("template_id")?.map(TemplateId),
        backfill_id: row.try_get::<Option<Uuid>, _>("backfill_id")?.map(BackfillId),
        redriven_from: row.try_get::<Option<Uuid>, _>("redriven_from")?.map(JobId),
        run_if: run_if.map(|text| rule(&text, id)).transpose()?,
        dedupe_key: row.try_get("dedupe_key")?,
        concurrency_key: row.try_get("concurrency_key")?,
        external_id: row.try_get("external_id")?,
        metadata: row.try_get("metadata")?,
        traceparent: row.try_get("traceparent")?,
        last_error: row.try_get("last_error")?,
        session_id: row.try_get::<Option<Uuid>, _>("session_id")?.map(SessionId),
    })
}

/// The state's name as a state.
pub(super) fn state(text: &str, job: Uuid) -> StoreResult<JobState> {
    text.parse().map_err(|why| StoreError::corrupt("jobs", "state", job, why))
}

fn rule(text: &str, job: Uuid) -> StoreResult<RunIf> {
    let rules = [RunIf::AllSucceeded, RunIf::AllFinished];
    let rule = rules.into_iter().find(|rule| rule.as_str() == text);
    rule.ok_or_else(|| StoreError::corrupt("jobs", "run_if", job, text))
}

fn json<T: DeserializeOwned>(text: &str, column: &'static str, job: Uuid) -> StoreResult<T> {
    serde_json::from_str(text).map_err(|why| StoreError::corrupt("jobs", column, job, why))
}
