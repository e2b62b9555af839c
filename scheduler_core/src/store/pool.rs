//! Connections to PostgreSQL.

use super::{Db, StoreError, StoreResult};
use chrono::{DateTime, Utc};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgPool, Row};
use std::time::{Duration, Instant};

/// What a pool is for. Pools are kept apart so that one kind of work cannot take the connections of another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StoreRole {
    /// Requests, sweeps and results. Commits wait for the disk.
    Durable,
    /// Claims and session renewals. Their commits need not wait: a claim that a database crash loses is a job that runs
    /// again, and the first run's result is refused as stale.
    Claims,
    /// Results and other changes to batches of rows by key. Commits wait for the disk; plans go by key only, because one
    /// made while a table was empty would scan it whole for ever after.
    Results,
}

/// The server's limit on a statement where nothing else is said.
const DEFAULT_STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the end of a pool may take.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// How to connect.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// `postgres://…`
    pub url: String,
    /// What the pool is for.
    pub role: StoreRole,
    /// Most connections.
    pub max_connections: u32,
    /// Longest time that one statement may take.
    pub statement_timeout: Duration,
    /// Longest wait for a free connection.
    pub acquire_timeout: Duration,
    /// Name shown in `pg_stat_activity`.
    pub application_name: String,
}

impl StoreOptions {
    /// Options for a pool of `max_connections` with the default time limits.
    pub fn new(url: &str, role: StoreRole, max_connections: u32, application_name: &str) -> Self {
        Self {
            url: url.to_owned(),
            role,
            max_connections,
            statement_timeout: DEFAULT_STATEMENT_TIMEOUT,
            acquire_timeout: Duration::from_secs(3),
            application_name: application_name.to_owned(),
        }
    }
}

/// A pool of connections with one role; cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    db: Db,
}

/// One reading of the database's clock.
#[derive(Clone, Copy, Debug)]
pub struct ClockReading {
    /// What it said.
    pub database: DateTime<Utc>,
    /// Just before asking.
    pub sent: Instant,
    /// Just after the answer.
    pub received: Instant,
}

/// Counters of the database server, which only grow.
#[derive(Clone, Copy, Debug)]
pub struct ServerActivity {
    /// Bytes of write-ahead log since the server was set up.
    pub wal_bytes: u64,
    /// Transactions committed in this database.
    pub commits: u64,
}

impl Store {
    /// A pool that connects when first used; fails only on a URL that cannot be read.
    pub fn connect_lazy(options: &StoreOptions) -> StoreResult<Self> {
        let connect: PgConnectOptions = options.url.parse()?;
        let commit = match options.role {
            StoreRole::Durable | StoreRole::Results => "on",
            StoreRole::Claims => "off",
        };
        let scans = if options.role == StoreRole::Results { "off" } else { "on" };
        let milliseconds = |d: Duration| d.as_millis().to_string();
        let connect = connect.application_name(&options.application_name).options([
            ("synchronous_commit", commit),
            ("statement_timeout", &milliseconds(options.statement_timeout)),
            ("idle_in_transaction_session_timeout", "15000"),
            ("lock_timeout", "5000"),
            // A connection that was abandoned is rolled back whether it was in a transaction or not; no need to hear so.
            ("client_min_messages", "error"),
            ("timezone", "UTC"),
            ("enable_seqscan", scans),
            ("enable_hashjoin", scans),
            ("enable_mergejoin", scans),
            // Compiling costs more than any statement here takes.
            ("jit", "off"),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(options.max_connections)
            .acquire_timeout(options.acquire_timeout)
            .max_lifetime(Duration::from_secs(30 * 60))
            .connect_lazy_with(connect);
        Ok(Self { db: Db::new(pool, options.statement_timeout) })
    }

    /// A pool over an existing one; for tests and tools.
    pub fn from_pool(pool: PgPool) -> Self {
        Self { db: Db::new(pool, DEFAULT_STATEMENT_TIMEOUT) }
    }

    /// The pool, for the functions of this crate and for tests. Every statement on it has an end.
    pub fn pool(&self) -> &Db {
        &self.db
    }

    /// Closes the connections once they are idle.
    pub async fn close(&self) {
        // A connection that does not answer a goodbye is none that has to be waited for.
        let _closed_or_late = tokio::time::timeout(CLOSE_PATIENCE, self.db.inner().close()).await;
    }

    /// Connections open and idle, for metrics.
    pub fn pool_size(&self) -> (u32, usize) {
        (self.db.inner().size(), self.db.inner().num_idle())
    }

    /// Asks the database for the time.
    pub async fn read_clock(&self) -> StoreResult<ClockReading> {
        // Not counting the wait for a connection, which would make the reading worse than it is.
        let mut connection = self.db.acquire().await?;
        let sent = Instant::now();
        let asked = async { Ok(sqlx::query("SELECT clock_timestamp()").fetch_one(&mut *connection).await?) };
        let row = self.db.within(asked).await?;
        let received = Instant::now();
        connection.is_well();
        let database: DateTime<Utc> = row.try_get(0).map_err(StoreError::from)?;
        #[cfg(any(feature = "fault-injection", feature = "planted-bugs"))]
        let database = database + crate::planted::clock_fault();
        Ok(ClockReading { database, sent, received })
    }

    /// What the server has done so far, for measurements.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn server_activity(&self) -> StoreResult<ServerActivity> {
        let (wal_bytes, commits): (i64, i64) = sqlx::query_as(
            "SELECT (pg_current_wal_lsn() - '0/0')::bigint, xact_commit
               FROM pg_stat_database WHERE datname = current_database()",
        )
        .fetch_one(&self.db)
        .await?;
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        Ok(ServerActivity { wal_bytes: count(wal_bytes), commits: count(commits) })
    }

    /// A server setting as `SHOW` prints it: `fsync`, `synchronous_commit`, …
    pub async fn server_setting(&self, name: &str) -> StoreResult<String> {
        Ok(sqlx::query_scalar("SELECT current_setting($1)").bind(name).fetch_one(&self.db).await?)
    }
}
