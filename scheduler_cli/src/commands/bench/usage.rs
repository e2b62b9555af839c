//! What a measurement costs: log written and commits in PostgreSQL, commands in Redis, time and memory of the daemons.

use crate::cli::Globals;
use scheduler_core::queue::Redis;
use scheduler_core::store::{Store, StoreOptions, StoreRole};
use std::path::Path;
use std::time::Duration;

/// Programs whose time and memory count.
const PROGRAMS: [&str; 6] =
    ["scheduler", "task_scheduler_", "task_recurrence", "queue_populator", "task_executor", "task_failure_wa"];

/// Reads the counters.
pub struct Meter {
    store: Store,
    redis: Redis,
}

/// The counters at one moment.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    wal_bytes: u64,
    commits: u64,
    redis_commands: u64,
    cpu: Duration,
    resident_bytes: u64,
}

/// What happened between two readings.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Bytes of write-ahead log.
    pub wal_bytes: u64,
    /// Transactions committed, by everybody.
    pub commits: u64,
    /// Commands that Redis worked off.
    pub redis_commands: u64,
    /// Processor time of the daemons.
    pub cpu: Duration,
    /// Resident memory of the daemons at the end.
    pub resident_bytes: u64,
}

impl Meter {
    /// A meter over the servers that the settings name.
    ///
    /// # Errors
    /// When the settings cannot be read or used.
    pub async fn new(globals: &Globals) -> anyhow::Result<Self> {
        let settings = globals.settings()?;
        let options = StoreOptions::new(settings.database.url.expose(), StoreRole::Durable, 1, "scheduler_bench");
        let redis = Redis::connect(settings.redis.url.expose(), &settings.redis.prefix).await?;
        Ok(Self { store: Store::connect_lazy(&options)?, redis })
    }

    /// The counters now.
    ///
    /// # Errors
    /// When a server does not answer.
    pub async fn read(&self) -> anyhow::Result<Reading> {
        let activity = self.store.server_activity().await?;
        let (cpu, resident_bytes) = daemons();
        let redis_commands = self.redis.commands_processed().await?;
        Ok(Reading { wal_bytes: activity.wal_bytes, commits: activity.commits, redis_commands, cpu, resident_bytes })
    }
}

impl Reading {
    /// What has happened since an earlier reading.
    pub fn since(&self, earlier: &Self) -> Usage {
        Usage {
            wal_bytes: self.wal_bytes.saturating_sub(earlier.wal_bytes),
            commits: self.commits.saturating_sub(earlier.commits),
            redis_commands: self.redis_commands.saturating_sub(earlier.redis_commands),
            cpu: self.cpu.saturating_sub(earlier.cpu),
            resident_bytes: self.resident_bytes,
        }
    }
}

/// Processor time and resident memory of every daemon on this computer, this process left out; zero where there is no
/// `/proc`.
fn daemons() -> (Duration, u64) {
    let own = std::process::id().to_string();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let others = entries.map(|entry| entry.path()).filter(|path| !path.ends_with(&own) && is_daemon(path));
    others.fold((Duration::ZERO, 0), |(cpu, memory), path| (cpu + cpu_of(&path), memory + resident_of(&path)))
}

fn is_daemon(process: &Path) -> bool {
    let name = std::fs::read_to_string(process.join("comm")).unwrap_or_default();
    PROGRAMS.contains(&name.trim_end())
}

/// The kernel counts hundredths of a second: the 14th and 15th field of `stat`, counted behind the name, which may hold
/// blanks.
fn cpu_of(process: &Path) -> Duration {
    let stat = std::fs::read_to_string(process.join("stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace()).into_iter().flatten();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

fn resident_of(process: &Path) -> u64 {
    let status = std::fs::read_to_string(process.join("status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
