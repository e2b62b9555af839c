//! The shared part of every statement that ends a job: out of `jobs_live`, into `jobs_finished`.
//!
//! A statement names the deleted live rows `g` and lists, after the shared columns, the ones that differ, in the
//! order of [`finish_into`]:
//!
//! ```sql
//! WITH gone AS (DELETE FROM jobs_live … RETURNING *)
//! <finish_into!()> SELECT <finish_shared!()>, finished_at, attempt, crashes, is_dead, state, reason, last_error,
//!     execution_id, session_id, started_at, outcome, response_status, response_body, response_truncated FROM gone g …
//! ```

/// `INSERT INTO jobs_finished (…)`: the shared columns, then those that say how the job ended.
macro_rules! finish_into {
    () => {
        "INSERT INTO jobs_finished (merchant_id, id, template_id, redriven_from, run_at, scheduled_for, created_at, \
         start_deadline_at, priority, max_attempts, timeout_ms, has_dependents, queue, lane, run_if, target, payload, \
         backoff, metadata, dedupe_key, external_id, traceparent, concurrency_key, template_limit, backfill_id, \
         finished_at, attempt, crashes, is_dead, state, reason, last_error, \
         execution_id, session_id, started_at, outcome, response_status, response_body, response_truncated) "
    };
}

/// The shared columns, taken from the deleted live row `g`.
macro_rules! finish_shared {
    () => {
        "g.merchant_id, g.id, g.template_id, g.redriven_from, g.run_at, g.scheduled_for, g.created_at, \
         g.start_deadline_at, g.priority, g.max_attempts, g.timeout_ms, g.has_dependents, g.queue, g.lane, g.run_if, \
         g.target, g.payload, g.backoff, g.metadata, g.dedupe_key, g.external_id, g.traceparent, \
         g.concurrency_key, g.template_limit, g.backfill_id"
    };
}

/// The execution columns of a job whose end belongs to no execution of its own.
macro_rules! finish_without_execution {
    () => {
        "NULL, NULL, NULL, NULL, NULL, NULL, NULL"
    };
}

/// The whole of it for the rows of `gone g` that end now and by no execution of their own, which is what most edges need.
/// The arguments are SQL over `g` for `is_dead, state, reason, last_error`; a join or `RETURNING` may follow.
macro_rules! finish_gone {
    ($is_dead:literal, $state:literal, $reason:literal, $last_error:literal) => {
        concat!(
            $crate::store::transitions::finish::finish_into!(),
            "SELECT ",
            $crate::store::transitions::finish::finish_shared!(),
            ", clock_timestamp(), g.attempt, g.crashes, ",
            $is_dead,
            ", ",
            $state,
            ", ",
            $reason,
            ", ",
            $last_error,
            ", ",
            $crate::store::transitions::finish::finish_without_execution!(),
            " FROM gone g "
        )
    };
}

pub(crate) use {finish_gone, finish_into, finish_shared, finish_without_execution};
