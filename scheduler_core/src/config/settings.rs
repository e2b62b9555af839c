//! The settings. To add one: add its line here, then `UPDATE_DOCS=1 cargo test -p scheduler_core
//! --lib` writes `docs/configuration.md` anew.
//!
//! A line reads: field and its type = key, default, kind with its limits. The field leaves out
//! the unit that the key carries, because its type knows it.

use std::net::SocketAddr;
use std::time::Duration;

use super::kind::{Kind, Setting, TimeUnit};
use super::section::{Section, Service, settings};
use super::types::{Lanes, ListenAt, Secret, SecretUrl};
use crate::telemetry::LogFormat;

settings! {
    /// PostgreSQL, the truth.
    database: DatabaseSettings = "database" for Service::ALL => {
        /// Where PostgreSQL is and who we are there.
        url: SecretUrl = "url", "postgres://scheduler@127.0.0.1:5432/scheduler",
            Kind::Url(&["postgres", "postgresql"]);
        /// The most connections that one process opens.
        max_connections: u32 = "max_connections", "10", Kind::integer(2, 1000);
        /// How long to wait for a free connection before giving up.
        acquire_timeout: Duration = "acquire_timeout_seconds", "3", Kind::seconds(0.1, 300.0);
        /// How long a statement may run before PostgreSQL cancels it. Migrations are exempt.
        statement_timeout: Duration = "statement_timeout_seconds", "30", Kind::seconds(0.1, 3600.0);
    }

    /// Redis, the fast and disposable part.
    redis: RedisSettings = "redis" for Service::ALL => {
        /// Where Redis is.
        url: SecretUrl = "url", "redis://127.0.0.1:6379/0",
            Kind::Url(&["redis", "rediss", "redis+unix"]);
        /// The first part of every key and channel. Systems that share one Redis need different
        /// ones.
        prefix: String = "prefix", "scheduler", Kind::Name;
        /// How long a command may take before it counts as failed.
        command_timeout: Duration = "command_timeout_seconds", "2", Kind::seconds(0.05, 60.0);
    }

    /// Logging, on stderr.
    log: LogSettings = "log" for Service::ALL => {
        /// What is logged: a level, or levels per module such as `info,task_executor=debug`.
        filter: String = "filter", "info,sqlx=warn,fred=warn,hyper=warn", Kind::Text;
        /// How it looks. `auto` is `compact` in a terminal and `json` elsewhere.
        format: LogFormat = "format", "auto", Kind::Choice(LogFormat::WORDS);
    }

    /// The admin port: `/health/live`, `/health/ready`, `/metrics`. (The API serves them on its
    /// own port as well.)
    admin: AdminSettings = "admin" for Service::DAEMONS => {
        /// Where it listens. `auto` is 127.0.0.1 with the daemon's own port: API off, recurrence
        /// manager 9101, populator 9102, executor 9103, watcher 9104.
        listen: ListenAt = "listen", "auto", Kind::Address(&["auto", "off"]);
    }

    /// Sessions of executors: how lost ones are noticed.
    session: SessionSettings = "session" for &[Service::Executor, Service::Watcher] => {
        /// How often an executor or a watcher renews its session.
        renew: Duration = "renew_seconds", "2", Kind::seconds(0.05, 60.0);
        /// A session without renewal for this long is lost, and so is what it was running. At
        /// least three times `session.renew_seconds`.
        lost: Duration = "lost_seconds", "8", Kind::seconds(0.2, 600.0);
    }

    /// The REST API.
    api: ApiSettings = "api" for &[Service::Api] => {
        /// Where it listens.
        listen: SocketAddr = "listen", "127.0.0.1:8080", Kind::Address(&[]);
        /// The most connections at a time; more wait until others close.
        max_connections: usize = "max_connections", "4096", Kind::integer(1, 1_000_000);
        /// The most requests being worked on at a time; more are answered with 503 at once.
        max_requests: usize = "max_requests", "1000", Kind::integer(1, 1_000_000);
        /// The largest body of a request, except of a batch.
        body_limit_bytes: usize = "body_limit_bytes", "2MiB", Kind::Bytes { min: 1024, max: 64 << 20 };
        /// The largest body of `POST /v1/jobs/batch`.
        batch_body_limit_bytes: usize = "batch_body_limit_bytes", "32MiB",
            Kind::Bytes { min: 1024, max: 512 << 20 };
        /// The largest payload of one job.
        payload_limit_bytes: usize = "payload_limit_bytes", "1MiB",
            Kind::Bytes { min: 64, max: 16 << 20 };
        /// The most jobs in one batch.
        batch_max_jobs: usize = "batch_max_jobs", "10000", Kind::integer(1, 100_000);
        /// A request that takes longer is answered with 503.
        request_timeout: Duration = "request_timeout_seconds", "30", Kind::seconds(0.1, 600.0);
        /// The most single creates that share one insert and one commit.
        ingest_group_max: usize = "ingest_group_max", "500", Kind::integer(1, 10_000);
        /// How many such groups may be committing at once.
        ingest_flushers: usize = "ingest_flushers", "2", Kind::integer(1, 64);
        /// How many single creates may wait for a commit; more are answered with 503.
        ingest_queue_max: usize = "ingest_queue_max", "20000", Kind::integer(1, 1_000_000);
        /// How long the answer to an `Idempotency-Key` is kept.
        idempotency_ttl: Duration = "idempotency_ttl_hours", "72",
            Kind::Duration { unit: TimeUnit::Hours, min: 0.01, max: 8760.0 };
        /// How long a looked-up API key is trusted; a revoked key works for at most this long.
        key_cache: Duration = "key_cache_seconds", "5", Kind::seconds(0.0, 300.0);
    }

    /// The recurrence manager: templates become jobs ahead of time.
    recurrence: RecurrenceSettings = "recurrence" for &[Service::Recurrence] => {
        /// How far ahead of its time an occurrence becomes a job.
        lookahead: Duration = "lookahead_seconds", "60", Kind::seconds(1.0, 86_400.0);
        /// How often to look for templates that need new occurrences.
        tick: Duration = "tick_seconds", "1", Kind::seconds(0.05, 60.0);
        /// How many templates to plan in one transaction.
        batch_templates: usize = "batch_templates", "200", Kind::integer(1, 10_000);
        /// The most occurrences that one template gets in one tick; the rest follows in the next.
        max_occurrences_per_tick: usize = "max_occurrences_per_tick", "1000",
            Kind::integer(1, 100_000);
    }

    /// The queue populator: what is due moves from PostgreSQL to Redis.
    populator: PopulatorSettings = "populator" for &[Service::Populator] => {
        /// How far ahead due jobs are read and kept in the timer wheel.
        lookahead: Duration = "lookahead_seconds", "5", Kind::seconds(0.5, 300.0);
        /// How often everything due is read again, which repairs whatever was lost.
        sweep: Duration = "sweep_seconds", "1", Kind::seconds(0.05, 60.0);
        /// The most ids in Redis per lane and priority; the rest waits in PostgreSQL.
        depth_per_priority: usize = "depth_per_priority", "4096", Kind::integer(16, 1_000_000);
        /// Refill a lane at once when a priority falls below this share of its depth.
        low_water: f64 = "low_water", "0.5", Kind::Decimal { min: 0.0, max: 1.0 };
        /// How long before its moment an id is pushed, to make up for the way. Executors wait
        /// for the moment itself.
        push_ahead: Duration = "push_ahead_ms", "5",
            Kind::Duration { unit: TimeUnit::Milliseconds, min: 0.0, max: 1000.0 };
        /// How many rows one read of the sweep fetches.
        page_rows: usize = "page_rows", "1000", Kind::integer(10, 100_000);
        /// How long an id that was pushed is not pushed again.
        recent: Duration = "recent_seconds", "2", Kind::seconds(0.1, 60.0);
        /// How long a populator owns a lane after its last renewal.
        lane_lease: Duration = "lane_lease_seconds", "6", Kind::seconds(0.5, 300.0);
    }

    /// The executor: claims jobs, runs them, reports results.
    executor: ExecutorSettings = "executor" for &[Service::Executor] => {
        /// The lanes it serves. `slow=32` limits how many executions of that lane run at once.
        lanes: Lanes = "lanes", "default", Kind::Lanes;
        /// The most executions at once in this process.
        concurrency: usize = "concurrency", "256", Kind::integer(1, 100_000);
        /// The most jobs that one claim asks for.
        claim_batch: usize = "claim_batch", "500", Kind::integer(1, 10_000);
        /// How many claims per lane may be under way at once.
        claim_loops: usize = "claim_loops", "2", Kind::integer(1, 64);
        /// How long one pop waits in Redis before it looks around again.
        pop_wait: Duration = "pop_wait_seconds", "1", Kind::seconds(0.05, 30.0);
        /// How often to look in PostgreSQL itself while Redis does not answer.
        fallback_poll: Duration = "fallback_poll_seconds", "0.5", Kind::seconds(0.05, 60.0);
        /// Every n-th pop starts from the lowest priority, so that none starves. 0: never.
        starvation_every: u32 = "starvation_every", "16", Kind::integer(0, 10_000);
        /// The most results that one statement writes.
        result_batch: usize = "result_batch", "500", Kind::integer(1, 10_000);
        /// How many statements with results may be under way at once.
        result_flushers: usize = "result_flushers", "2", Kind::integer(1, 64);
        /// How long running executions may go on after SIGTERM.
        drain_grace: Duration = "drain_grace_seconds", "25", Kind::seconds(0.0, 3600.0);
        /// How much of a response is kept with its execution.
        capture_body_bytes: usize = "capture_body_bytes", "8KiB", Kind::Bytes { min: 0, max: 1 << 20 };
        /// How long connecting to a webhook's host may take.
        connect_timeout: Duration = "connect_timeout_seconds", "5", Kind::seconds(0.05, 300.0);
        /// Whether webhooks may go to private, loopback and link-local addresses. Only for
        /// development and closed networks.
        allow_private_addresses: bool = "allow_private_addresses", "false", Kind::Bool;
        /// How many redirects a webhook may follow. Each is checked like the first address.
        max_redirects: u32 = "max_redirects", "3", Kind::integer(0, 20);
        /// The `User-Agent` of webhooks.
        user_agent: String = "user_agent", "task-scheduler", Kind::Text;
    }

    /// The failure watcher: lost sessions, retries, dead letters, alerts, retention.
    watcher: WatcherSettings = "watcher" for &[Service::Watcher] => {
        /// How often each of its duties looks at the data.
        sweep: Duration = "sweep_seconds", "1", Kind::seconds(0.05, 60.0);
        /// How many rows one step of a duty handles.
        batch: usize = "batch", "500", Kind::integer(1, 10_000);
        /// The most lost attempts taken back per second when many sessions expire at once.
        reap_per_second_max: u32 = "reap_per_second_max", "5000", Kind::integer(1, 1_000_000);
        /// How many attempts a job may lose to executors that vanish. One more and it is dead.
        max_crashes: u32 = "max_crashes", "10", Kind::integer(0, 1000);
        /// How often partitions, expired keys and old sessions are looked after.
        housekeeping: Duration = "housekeeping_seconds", "60", Kind::seconds(1.0, 86_400.0);
        /// How many days finished jobs and the ledger of occurrences are kept.
        retention_finished_days: u32 = "retention_finished_days", "30", Kind::integer(1, 3650);
        /// How many days dead letters are kept. Executions are kept for the longer of the two.
        retention_dead_days: u32 = "retention_dead_days", "90", Kind::integer(1, 3650);
        /// How many days ahead partitions are created.
        partitions_ahead_days: u32 = "partitions_ahead_days", "7", Kind::integer(1, 60);
        /// Where an alert is posted when a job dies. Empty: nowhere.
        alert_url: Option<SecretUrl> = "alert_url", "", Kind::Url(&["http", "https"]);
        /// The key that signs alerts. Empty: alerts are not signed.
        alert_secret: Option<Secret> = "alert_secret", "", Kind::Secret;
        /// How often an alert is tried before it is given up.
        alert_max_attempts: u32 = "alert_max_attempts", "10", Kind::integer(1, 100);
        /// How long an incident waits for somebody to acknowledge it before it escalates, and between two escalations.
        /// 0: never.
        escalate_after: Duration = "escalate_after_seconds", "900", Kind::seconds(0.0, 604_800.0);
        /// How often an incident escalates.
        escalations_max: u32 = "escalations_max", "3", Kind::integer(0, 100);
        /// An incident closes when nothing more of it has happened for so long.
        incident_quiet: Duration = "incident_quiet_hours", "24",
            Kind::Duration { unit: TimeUnit::Hours, min: 0.01, max: 8760.0 };
        /// How long one attempt to deliver an alert may take.
        alert_timeout: Duration = "alert_timeout_seconds", "10", Kind::seconds(0.1, 300.0);
    }
}
