//! The daemons as processes, each behind proxies of its own.

use super::servers::Servers;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use scheduler_core::domain::Scope;
use scheduler_core::store::{Store, StoreOptions, StoreRole};
use sqlx::{AssertSqlSafe, Connection};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use test_support::{FaultProxy, eventually, free_port, install_tls_provider};

/// How many of each daemon run.
const CREW: [(&str, usize); 5] = [
    ("task_scheduler_api", 1),
    ("task_recurrence_manager", 1),
    ("queue_populator", 2),
    ("task_executor", 2),
    ("task_failure_watcher", 2),
];
/// Quick, so that losses are noticed within a short run.
const SETTINGS: [(&str, &str); 8] = [
    ("SCHEDULER_SESSION_RENEW_SECONDS", "0.5"),
    ("SCHEDULER_SESSION_LOST_SECONDS", "2"),
    ("SCHEDULER_WATCHER_SWEEP_SECONDS", "0.5"),
    ("SCHEDULER_RECURRENCE_LOOKAHEAD_SECONDS", "3"),
    ("SCHEDULER_DATABASE_STATEMENT_TIMEOUT_SECONDS", "8"),
    ("SCHEDULER_WATCHER_MAX_CRASHES", "50"),
    ("SCHEDULER_EXECUTOR_ALLOW_PRIVATE_ADDRESSES", "true"),
    ("SCHEDULER_LOG_FORMAT", "json"),
];
/// Merchants of a run.
pub const MERCHANTS: usize = 2;

/// A place for one process: what it is, and the way to its servers.
pub struct Slot {
    /// Which daemon.
    pub daemon: &'static str,
    /// The way to PostgreSQL.
    pub database: FaultProxy,
    /// The way to Redis.
    pub redis: FaultProxy,
    admin: u16,
    environment: Vec<(String, String)>,
    child: Option<Child>,
    log: PathBuf,
    programs: PathBuf,
}

impl Slot {
    /// Starts the process, unless it runs.
    pub fn launch(&mut self) {
        if self.child.is_some() {
            return;
        }
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&self.log).unwrap();
        let mut command = Command::new(self.programs.join(self.daemon));
        command.envs(self.environment.iter().cloned()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().unwrap_or_else(|error| panic!("{} does not start: {error}", self.daemon)));
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// SIGTERM, and waits for the end; whether it ended well and in time.
    pub async fn stop(&mut self) -> bool {
        let Some(mut child) = self.child.take() else { return true };
        self.child = None;
        kill(pid_of(&child), Signal::SIGTERM).unwrap();
        for _ in 0..600 {
            if let Some(status) = child.try_wait().unwrap() {
                return status.success();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        false
    }

    /// SIGSTOP or SIGCONT.
    pub fn pause(&self, stopped: bool) {
        if let Some(child) = &self.child {
            kill(pid_of(child), if stopped { Signal::SIGSTOP } else { Signal::SIGCONT }).unwrap();
        }
    }

    /// The process, if it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// A gauge or counter of the process, summed over its labels; `None` when it does not answer.
    pub async fn metric(&self, http: &reqwest::Client, name: &str) -> Option<f64> {
        let url = format!("http://127.0.0.1:{}/metrics", self.admin);
        let text = http.get(url).send().await.ok()?.text().await.ok()?;
        let of_name =
            |line: &&str| line.starts_with(name) && matches!(line.as_bytes().get(name.len()), Some(b'{' | b' '));
        Some(text.lines().filter(of_name).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.kill();
    }
}

/// All daemons on a database and a Redis prefix of their own.
pub struct Fleet {
    /// The processes.
    pub slots: Vec<Slot>,
    /// The database, past the proxies.
    pub store: Store,
    /// The URL of the API.
    pub base: String,
    /// An API key for each merchant.
    pub keys: Vec<String>,
    /// Ids of the merchants.
    pub merchants: Vec<uuid::Uuid>,
    /// First part of every key in Redis.
    pub prefix: String,
    /// Where the daemons read by how much to misread the clock.
    pub clock_fault: PathBuf,
    /// Where the logs are.
    pub logs: PathBuf,
}

impl Fleet {
    /// Makes the database and starts everything. `extra` are more settings.
    pub async fn start(servers: &Servers, extra: &[(&str, &str)]) -> Self {
        install_tls_provider();
        let name = format!("chaos_{}", uuid::Uuid::new_v4().simple());
        let (store, merchants, keys) = prepare(servers, &name).await;
        let logs = programs().join("chaos-logs").join(&name);
        std::fs::create_dir_all(&logs).unwrap();
        let clock_fault = logs.join("clock");
        let listen = format!("127.0.0.1:{}", free_port());
        let mut fleet = Self {
            slots: Vec::new(),
            store,
            base: format!("http://{listen}"),
            keys,
            merchants,
            prefix: name.clone(),
            clock_fault,
            logs,
        };
        for (daemon, count) in CREW {
            for number in 0..count {
                let slot = fleet.slot(servers, daemon, number, &listen, extra).await;
                fleet.slots.push(slot);
            }
        }
        fleet.launch_missing();
        fleet.wait_until_ready().await;
        fleet
    }

    async fn slot(
        &self,
        servers: &Servers,
        daemon: &'static str,
        number: usize,
        listen: &str,
        extra: &[(&str, &str)],
    ) -> Slot {
        let database = FaultProxy::start(servers.database_address()).await;
        let redis = FaultProxy::start(servers.redis_address()).await;
        let admin = free_port();
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut environment = vec![
            set("SCHEDULER_DATABASE_URL", &servers.database_url_by(database.address(), &self.prefix)),
            set("SCHEDULER_REDIS_URL", &format!("redis://{}", redis.address())),
            set("SCHEDULER_REDIS_PREFIX", &self.prefix),
            set("SCHEDULER_ADMIN_LISTEN", &format!("127.0.0.1:{admin}")),
            set("CHAOS_RUN_FAULT_CLOCK", &self.clock_fault.display().to_string()),
        ];
        if daemon == "task_scheduler_api" {
            environment.push(set("SCHEDULER_API_LISTEN", listen));
        }
        environment.extend(SETTINGS.iter().chain(extra).map(|(name, value)| set(name, value)));
        let log = self.logs.join(format!("{daemon}-{number}.log"));
        Slot { daemon, database, redis, admin, environment, child: None, log, programs: programs() }
    }

    /// Starts every process that does not run.
    pub fn launch_missing(&mut self) {
        self.slots.iter_mut().for_each(Slot::launch);
    }

    /// Waits until the API answers that it is ready.
    pub async fn wait_until_ready(&self) {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().unwrap();
        eventually(Duration::from_secs(120), || async {
            let answer = http.get(format!("{}/health/ready", self.base)).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
    }

    /// Ends the daemons and drops the database. The logs stay if `keep_logs`.
    pub async fn remove(mut self, servers: &Servers, keep_logs: bool) {
        self.slots.clear();
        self.store.close().await;
        execute(servers, &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.prefix)).await;
        if !keep_logs {
            let _absent = std::fs::remove_dir_all(&self.logs);
        }
    }
}

async fn prepare(servers: &Servers, name: &str) -> (Store, Vec<uuid::Uuid>, Vec<String>) {
    execute(servers, &format!("CREATE DATABASE {name}")).await;
    let options = StoreOptions::new(&servers.database_url(name), StoreRole::Durable, 4, "observer");
    let store = Store::connect_lazy(&options).unwrap();
    store.migrate().await.unwrap();
    let (mut merchants, mut keys) = (Vec::new(), Vec::new());
    for number in 0..MERCHANTS {
        let merchant = store.create_merchant(&format!("merchant-{number}"), 1).await.unwrap().unwrap();
        let (_, key) = store.create_api_key(merchant.id, "chaos", &Scope::ALL, None).await.unwrap();
        merchants.push(merchant.id.0);
        keys.push(key.reveal());
    }
    (store, merchants, keys)
}

async fn execute(servers: &Servers, statement: &str) {
    let mut connection = sqlx::PgConnection::connect(&servers.database_url("postgres")).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap())
}

/// Where the daemons are: `CHAOS_RUN_DAEMONS_FOLDER`, or beside this program.
pub fn programs() -> PathBuf {
    if let Some(folder) = std::env::var_os("CHAOS_RUN_DAEMONS_FOLDER") {
        return PathBuf::from(folder);
    }
    let here = std::env::current_exe().unwrap();
    let folder = here.parent().unwrap();
    let folder: &Path = if folder.ends_with("deps") { folder.parent().unwrap() } else { folder };
    folder.to_owned()
}
