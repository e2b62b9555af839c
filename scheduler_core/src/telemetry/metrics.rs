//! Every metric of the system: its name, kind, unit, labels and meaning, declared once.
//!
//! Use the constants with the `metrics` macros:
//! `counter!(names::JOBS_CREATED_TOTAL, "source" => "api").increment(1)`. Labels have few values:
//! never an id, never a merchant, never anything that a merchant chooses freely.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// What kind of metric it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution in buckets.
    Histogram,
}

/// The declaration of one metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// The name, as exported.
    pub name: &'static str,
    /// Its kind.
    pub kind: MetricKind,
    /// What its numbers count.
    pub unit: Unit,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it means, in one sentence.
    pub description: &'static str,
}

/// Declares the name constants and the table of all metrics from one list.
macro_rules! metrics {
    ($( #[doc = $doc:literal] $kind:ident $unit:ident $constant:ident = $name:literal [$($label:literal),*]; )*) => {
        $( #[doc = $doc] pub const $constant: &str = $name; )*

        /// Every metric, in the order of its way through the system.
        pub const ALL: &[Metric] = &[$( Metric {
            name: $name,
            kind: MetricKind::$kind,
            unit: Unit::$unit,
            labels: &[$($label),*],
            description: $doc.trim_ascii(),
        } ),*];
    };
}

metrics! {
    // The API.
    /// HTTP requests answered.
    Counter Count HTTP_REQUESTS_TOTAL = "http_requests_total" ["route", "method", "status"];
    /// From the first byte of a request to the end of its answer.
    Histogram Seconds HTTP_REQUEST_SECONDS = "http_request_seconds" ["route", "method"];
    /// HTTP requests being worked on.
    Gauge Count HTTP_REQUESTS_IN_FLIGHT = "http_requests_in_flight" [];
    /// Requests refused at once because too many were being worked on.
    Counter Count REQUESTS_SHED_TOTAL = "requests_shed_total" [];
    /// Jobs that share one insert and one commit.
    Histogram Count INGEST_GROUP_SIZE = "ingest_group_size" [];
    /// From taking a group of creates to its commit.
    Histogram Seconds INGEST_COMMIT_SECONDS = "ingest_commit_seconds" [];
    /// Jobs created, by where they came from (api, batch, template, backfill, redrive).
    Counter Count JOBS_CREATED_TOTAL = "jobs_created_total" ["source"];

    // Templates.
    /// Occurrences recorded, by outcome (job, skipped).
    Counter Count OCCURRENCES_CREATED_TOTAL = "occurrences_created_total" ["outcome"];
    /// How late the most overdue template is planned.
    Gauge Seconds RECURRENCE_LAG_SECONDS = "recurrence_lag_seconds" [];

    // The queue.
    /// Jobs in Redis that wait for an executor.
    Gauge Count QUEUE_DEPTH = "queue_depth" ["lane", "priority"];
    /// How long the oldest due job of a lane has been waiting.
    Gauge Seconds QUEUE_OLDEST_AGE_SECONDS = "queue_oldest_age_seconds" ["lane"];
    /// Job ids pushed to Redis.
    Counter Count POPULATOR_PUSHED_TOTAL = "populator_pushed_total" ["lane"];
    /// Duration of one sweep over the due and soon due jobs of a lane.
    Histogram Seconds POPULATOR_SWEEP_SECONDS = "populator_sweep_seconds" ["lane"];
    /// Times that a lane was rebuilt because Redis had lost it.
    Counter Count POPULATOR_REPAIRS_TOTAL = "populator_repairs_total" ["lane"];
    /// From the due moment of a job to its push.
    Histogram Seconds POPULATOR_PUSH_DELAY_SECONDS = "populator_push_delay_seconds" ["lane"];
    /// Jobs that the populator holds for the next moments.
    Gauge Count POPULATOR_WHEEL_JOBS = "populator_wheel_jobs" ["lane"];
    /// Blocked jobs released or skipped, by outcome.
    Counter Count DEPENDENCIES_RESOLVED_TOTAL = "dependencies_resolved_total" ["outcome"];
    /// Best-effort hints sent through Redis, by kind.
    Counter Count HINTS_SENT_TOTAL = "hints_sent_total" ["kind"];
    /// Best-effort hints received through Redis, by kind.
    Counter Count HINTS_RECEIVED_TOTAL = "hints_received_total" ["kind"];
    /// Times that the connection to Redis was lost.
    Counter Count REDIS_DISCONNECTS_TOTAL = "redis_disconnects_total" [];

    // The executor.
    /// Ids offered for a claim, by answer (granted, not_due, paused, overlap, over_cap, taken, gone).
    Counter Count CLAIMS_TOTAL = "claims_total" ["answer"];
    /// Duration of one claim of a batch.
    Histogram Seconds CLAIM_SECONDS = "claim_seconds" [];
    /// From the due moment of a job to the start of its execution.
    Histogram Seconds JOB_START_DELAY_SECONDS = "job_start_delay_seconds" ["lane"];
    /// Executions running in this process.
    Gauge Count EXECUTIONS_RUNNING = "executions_running" ["lane"];
    /// Executions ended, by outcome.
    Counter Count EXECUTIONS_TOTAL = "executions_total" ["outcome"];
    /// Duration of one execution, by target kind.
    Histogram Seconds EXECUTION_SECONDS = "execution_seconds" ["target"];
    /// Results written by one statement.
    Histogram Count RESULTS_BATCH_SIZE = "results_batch_size" [];
    /// Duration of writing one batch of results.
    Histogram Seconds RESULTS_FLUSH_SECONDS = "results_flush_seconds" [];
    /// Results refused because another attempt holds the job.
    Counter Count RESULTS_STALE_TOTAL = "results_stale_total" [];
    /// Jobs that left the live table, by final state.
    Counter Count JOBS_FINISHED_TOTAL = "jobs_finished_total" ["state"];
    /// Claims handed back unstarted on a drain.
    Counter Count CLAIMS_RETURNED_TOTAL = "claims_returned_total" [];
    /// Times that an executor found its own session lost.
    Counter Count SESSION_RENEWALS_FAILED_TOTAL = "session_renewals_failed_total" [];

    // The watcher.
    /// Executor sessions declared lost.
    Counter Count SESSIONS_LOST_TOTAL = "sessions_lost_total" [];
    /// Claims whose session has been lost for more than twice the time that it takes to be lost. Must be 0.
    Gauge Count LEASES_OVERDUE = "leases_overdue" [];
    /// Counters of concurrency caps that differed from the claims and were put right. Should stay 0.
    Counter Count CAP_DRIFT_TOTAL = "cap_drift_total" [];
    /// Jobs that were moved to the new lane of their queue.
    Counter Count JOBS_MOVED_TOTAL = "jobs_moved_total" [];
    /// Jobs given out again because the executor that ran them vanished.
    Counter Count JOB_REDELIVERIES_TOTAL = "job_redeliveries_total" [];
    /// Attempts taken back from lost sessions.
    Counter Count JOBS_REAPED_TOTAL = "jobs_reaped_total" [];
    /// Failed jobs put back to wait for another attempt.
    Counter Count JOBS_RETRIED_TOTAL = "jobs_retried_total" [];
    /// Jobs that became dead letters, by reason.
    Counter Count JOBS_DEAD_TOTAL = "jobs_dead_total" ["reason"];
    /// Jobs that missed their start deadline.
    Counter Count JOBS_EXPIRED_TOTAL = "jobs_expired_total" [];
    /// Incidents that nobody had acknowledged in time, each time that they escalated.
    Counter Count INCIDENTS_ESCALATED_TOTAL = "incidents_escalated_total" [];
    /// Attempts to deliver an alert, by outcome (delivered, failed, given_up).
    Counter Count ALERTS_SENT_TOTAL = "alerts_sent_total" ["outcome"];
    /// Partitions created or dropped, by table and action.
    Counter Count PARTITIONS_CHANGED_TOTAL = "partitions_changed_total" ["table", "action"];
    /// Rows in the partition that catches days without one of their own, up to 100000.
    Gauge Count DEFAULT_PARTITION_ROWS = "default_partition_rows" ["table"];

    // Every daemon.
    /// Failed ticks of a loop.
    Counter Count RECONCILE_ERRORS_TOTAL = "reconcile_errors_total" ["loop"];
    /// Duration of one tick of a loop.
    Histogram Seconds RECONCILE_TICK_SECONDS = "reconcile_tick_seconds" ["loop"];
    /// Connections of the database pool, by state (used, idle).
    Gauge Count DB_POOL_CONNECTIONS = "db_pool_connections" ["state"];
    /// The largest number of connections of the database pool.
    Gauge Count DB_POOL_MAX_CONNECTIONS = "db_pool_max_connections" [];
    /// Waiting for a connection of the database pool.
    Histogram Seconds DB_POOL_ACQUIRE_SECONDS = "db_pool_acquire_seconds" [];
    /// How far the estimate of the database clock may be off.
    Gauge Seconds CLOCK_ERROR_SECONDS = "clock_error_seconds" [];
}

/// Metrics that somebody should look at when they move; each has a page in `docs/runbooks/`.
pub const WITH_RUNBOOK: &[&str] = &[
    LEASES_OVERDUE,
    SESSIONS_LOST_TOTAL,
    JOB_REDELIVERIES_TOTAL,
    RESULTS_STALE_TOTAL,
    POPULATOR_REPAIRS_TOTAL,
    CAP_DRIFT_TOTAL,
    REQUESTS_SHED_TOTAL,
];

/// Tells the installed recorder the description and unit of every metric.
pub fn describe_all() {
    for metric in ALL {
        let Metric { name, unit, description, .. } = *metric;
        match metric.kind {
            MetricKind::Counter => describe_counter!(name, unit, description),
            MetricKind::Gauge => describe_gauge!(name, unit, description),
            MetricKind::Histogram => describe_histogram!(name, unit, description),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_spelled_by_the_rules() {
        let mut seen = BTreeSet::new();
        for Metric { name, kind, unit, labels, description } in ALL {
            assert!(seen.insert(name), "{name} is declared twice");
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
            assert_eq!(name.ends_with("_total"), *kind == MetricKind::Counter, "{name}");
            assert_eq!(name.ends_with("_seconds"), *unit == Unit::Seconds, "{name}");
            if *kind == MetricKind::Histogram {
                assert!(name.ends_with("_seconds") || name.ends_with("_size"), "{name}: no buckets");
            }
            assert!(description.ends_with('.'), "{name}: {description}");
            for forbidden in ["id", "merchant", "job", "template", "url"] {
                assert!(!labels.contains(&forbidden), "{name} has the label {forbidden}");
            }
        }
    }
}
