//! The columns of new jobs as arrays, and the insert that takes them.

use super::NewJob;
use crate::domain::job_spec::DEFAULT_MAX_ATTEMPTS;
use chrono::{DateTime, Utc};
use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use uuid::Uuid;

/// `INSERT … SELECT … FROM unnest($1 … $20) AS n`. Sorted by what concurrent inserts may wait for, so that two of them
/// never wait for each other in a circle; the caller appends its `WHERE` before the order.
macro_rules! insert_jobs {
    ($where:expr) => {
        concat!(
            "INSERT INTO jobs_live (merchant_id, id, state, run_at, scheduled_for, created_at, start_deadline_at,
                 priority, max_attempts, timeout_ms, queue, lane, run_if, target, payload, backoff, metadata,
                 dedupe_key, external_id, traceparent, concurrency_key)
             SELECT n.merchant_id, n.id, n.state, n.run_at, n.run_at, n.created_at, n.start_deadline_at,
                 n.priority, n.max_attempts, n.timeout_ms, n.queue, n.lane, n.run_if, n.target, n.payload, n.backoff,
                 n.metadata::jsonb, n.dedupe_key, n.external_id, n.traceparent, n.concurrency_key
               FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[],
                 $6::timestamptz[], $7::smallint[], $8::integer[], $9::integer[], $10::text[], $11::text[],
                 $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[], $18::text[], $19::text[],
                 $20::text[])
                 AS n (merchant_id, id, state, run_at, created_at, start_deadline_at, priority, max_attempts,
                 timeout_ms, queue, lane, run_if, target, payload, backoff, metadata, dedupe_key, external_id,
                 traceparent, concurrency_key) ",
            $where,
            " ORDER BY n.merchant_id, n.queue, n.dedupe_key, n.id "
        )
    };
}
pub(super) use insert_jobs;

/// One array per column.
pub(super) struct Columns<'a> {
    merchants: Vec<Uuid>,
    ids: Vec<Uuid>,
    states: Vec<&'static str>,
    run_at: Vec<DateTime<Utc>>,
    created_at: Vec<DateTime<Utc>>,
    start_deadline_at: Vec<Option<DateTime<Utc>>>,
    priorities: Vec<i16>,
    max_attempts: Vec<i32>,
    timeouts_ms: Vec<i32>,
    queues: Vec<&'a str>,
    lanes: Vec<&'a str>,
    run_if: Vec<Option<&'static str>>,
    targets: Vec<String>,
    payloads: Vec<Option<&'a str>>,
    backoffs: Vec<Option<String>>,
    metadata: Vec<Option<String>>,
    dedupe_keys: Vec<Option<&'a str>>,
    external_ids: Vec<Option<&'a str>>,
    traceparents: Vec<Option<&'a str>>,
    concurrency_keys: Vec<Option<&'a str>>,
}

impl<'a> Columns<'a> {
    /// The columns of `jobs`, each with the state that it starts in.
    pub(super) fn of(jobs: impl Iterator<Item = (&'a NewJob, &'static str)> + Clone) -> Self {
        fn column<'a, T>(
            jobs: &(impl Iterator<Item = (&'a NewJob, &'static str)> + Clone),
            value: impl Fn(&'a NewJob) -> T,
        ) -> Vec<T> {
            jobs.clone().map(|(job, _)| value(job)).collect()
        }
        Self {
            merchants: column(&jobs, |job| job.merchant.0),
            ids: column(&jobs, |job| job.id.0),
            states: jobs.clone().map(|(_, state)| state).collect(),
            run_at: column(&jobs, |job| job.run_at),
            created_at: column(&jobs, |job| job.created_at),
            start_deadline_at: column(&jobs, |job| job.spec.start_deadline_at(job.run_at)),
            priorities: column(&jobs, |job| job.spec.priority),
            max_attempts: column(&jobs, |job| job.spec.max_attempts.unwrap_or(DEFAULT_MAX_ATTEMPTS)),
            timeouts_ms: column(&jobs, |job| job.spec.timeout_ms()),
            queues: column(&jobs, |job| job.spec.queue.as_str()),
            lanes: column(&jobs, |job| job.lane.as_str()),
            run_if: column(&jobs, |job| job.spec.run_if.map(|rule| rule.as_str())),
            targets: column(&jobs, |job| json(&job.spec.target)),
            payloads: column(&jobs, |job| job.spec.payload.as_deref().map(|raw| raw.get())),
            backoffs: column(&jobs, |job| job.spec.backoff.as_ref().map(json)),
            metadata: column(&jobs, |job| job.spec.metadata.as_ref().map(json)),
            dedupe_keys: column(&jobs, |job| job.spec.dedupe_key.as_deref()),
            external_ids: column(&jobs, |job| job.spec.external_id.as_deref()),
            traceparents: column(&jobs, |job| job.traceparent.as_deref()),
            concurrency_keys: column(&jobs, |job| job.spec.concurrency_key.as_deref()),
        }
    }

    /// The insert with `$1` to `$20` bound.
    pub(super) fn bind(self, statement: &'static str) -> Query<'static, Postgres, PgArguments> {
        sqlx::query(statement)
            .bind(self.merchants)
            .bind(self.ids)
            .bind(self.states)
            .bind(self.run_at)
            .bind(self.created_at)
            .bind(self.start_deadline_at)
            .bind(self.priorities)
            .bind(self.max_attempts)
            .bind(self.timeouts_ms)
            .bind(self.queues)
            .bind(self.lanes)
            .bind(self.run_if)
            .bind(self.targets)
            .bind(self.payloads)
            .bind(self.backoffs)
            .bind(self.metadata)
            .bind(self.dedupe_keys)
            .bind(self.external_ids)
            .bind(self.traceparents)
            .bind(self.concurrency_keys)
    }
}

/// A part of a job spec as JSON text.
fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("job specs have string keys and finite numbers only")
}
