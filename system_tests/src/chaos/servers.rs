//! A PostgreSQL and a Redis of our own, to be killed and filled up.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::process::Command;

/// Servers in a directory of their own; removed with the value.
pub struct Servers {
    directory: PathBuf,
    database_url: String,
    redis_url: String,
}

impl Servers {
    /// Starts both. `CHAOS_RUN_SMALL_DISK` names a small disk to put them on, if there is one (`scripts/chaos.sh` makes
    /// it); otherwise they are in the folder for temporary files, and the disk cannot be filled.
    pub async fn start() -> Self {
        let parent = std::env::var_os("CHAOS_RUN_SMALL_DISK").map_or_else(std::env::temp_dir, PathBuf::from);
        let directory = parent.join(format!("chaos-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir_all(&directory).unwrap();
        // Under root the servers run as another user, who has to pass through.
        std::fs::set_permissions(&directory, std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
        let mut servers = Self { directory, database_url: String::new(), redis_url: String::new() };
        servers.start_missing().await;
        let written = std::fs::read_to_string(servers.directory.join("servers.env")).unwrap();
        let value = |name: &str| written.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
        (servers.database_url, servers.redis_url) = (value("DATABASE_URL="), value("REDIS_URL="));
        servers
    }

    /// Starts whichever of the two does not run, on the port that it had.
    pub async fn start_missing(&self) {
        if !self.database_url.is_empty() && self.both_listen().await {
            return;
        }
        assert!(self.script("start").await, "the servers in {} did not start", self.directory.display());
    }

    async fn both_listen(&self) -> bool {
        let listens = async |address| tokio::net::TcpStream::connect(address).await.is_ok();
        listens(self.database_address()).await && listens(self.redis_address()).await
    }

    async fn script(&self, action: &str) -> bool {
        let mut command = Command::new(script());
        command.arg(action).arg(&self.directory).args(["--durable", "--max-connections", "300"]);
        let started = command.stdin(std::process::Stdio::null()).status().await;
        started.is_ok_and(|status| status.success())
    }

    /// URL of a database on the server.
    pub fn database_url(&self, database: &str) -> String {
        let (server, _) = self.database_url.rsplit_once('/').unwrap();
        format!("{server}/{database}")
    }

    /// The same by way of a proxy.
    pub fn database_url_by(&self, proxy: SocketAddr, database: &str) -> String {
        let (credentials, _) = self.database_url.rsplit_once('@').unwrap();
        format!("{credentials}@{proxy}/{database}")
    }

    /// Where PostgreSQL listens.
    pub fn database_address(&self) -> SocketAddr {
        let (_, server) = self.database_url.rsplit_once('@').unwrap();
        server.split('/').next().unwrap().parse().unwrap()
    }

    /// Where Redis listens.
    pub fn redis_address(&self) -> SocketAddr {
        self.redis_url.trim_start_matches("redis://").parse().unwrap()
    }

    /// `pg_ctl stop -m immediate`: nothing is written out; the next start recovers from the log.
    pub async fn crash_postgres(&self) {
        self.end("postgres/postmaster.pid", Signal::SIGQUIT).await;
    }

    /// `kill -9`; what it knew is gone.
    pub async fn kill_redis(&self) {
        self.end("redis/redis.pid", Signal::SIGKILL).await;
    }

    async fn end(&self, pid_file: &str, signal: Signal) {
        let file = self.directory.join("servers").join(pid_file);
        let Ok(text) = std::fs::read_to_string(file) else { return };
        let Some(pid) = text.lines().next().and_then(|line| line.trim().parse::<i32>().ok()) else { return };
        let _already_gone = kill(Pid::from_raw(pid), signal);
        let started = Instant::now();
        while kill(Pid::from_raw(pid), None).is_ok() && started.elapsed() < Duration::from_secs(20) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Sends a command to Redis; what it says, if it says anything.
    pub async fn redis(&self, words: &[&str]) -> Option<String> {
        let port = self.redis_address().port().to_string();
        let mut command = Command::new("redis-cli");
        command.args(["-h", "127.0.0.1", "-p", &port]).args(words).kill_on_drop(true);
        let output = tokio::time::timeout(Duration::from_secs(20), command.output()).await.ok()?.ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Fills the disk of the servers up, or frees it again; `false` when they have no small disk of their own.
    pub async fn fill_disk(&self, full: bool) -> bool {
        if std::env::var_os("CHAOS_RUN_SMALL_DISK").is_none() {
            return false;
        }
        let ballast = self.directory.join("ballast");
        tokio::task::spawn_blocking(move || {
            use std::io::Write;
            let _absent = std::fs::remove_file(&ballast);
            if full {
                let mut file = std::fs::File::create(&ballast).unwrap();
                let block = vec![0_u8; 64 * 1024];
                while file.write_all(&block).is_ok() {}
            }
            true
        })
        .await
        .unwrap()
    }

    /// Ends both and deletes their data, without holding up the runtime.
    pub async fn remove(self) {
        let removed = tokio::task::spawn_blocking(move || drop(self));
        let _left_behind = removed.await;
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        let remove = std::process::Command::new(script()).arg("remove").arg(&self.directory).status();
        let _left_behind = (remove, std::fs::remove_dir_all(&self.directory));
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/servers.sh")
}
