//! An API with a merchant, and the command as a program that speaks to it.

use scheduler_core::config::{SecretUrl, Settings};
use scheduler_core::domain::Scope;
use scheduler_core::health::Health;
use scheduler_core::lifecycle::{Shutdown, ShutdownTrigger};
use std::process::{Output, Stdio};
use std::time::Duration;
use test_support::{TestDatabase, TestRedis, eventually, seed};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

pub struct World {
    pub database: TestDatabase,
    _redis: TestRedis,
    url: String,
    key: String,
    _running: ShutdownTrigger,
}

/// How a run of the command ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl World {
    pub async fn new() -> Self {
        test_support::install_tls_provider();
        let (database, redis) = (TestDatabase::new().await, TestRedis::new().await);
        let merchant = seed::merchant(database.store(), "shop").await;
        let key = database.store().create_api_key(merchant, "test", &Scope::ALL, None).await.unwrap().1.reveal();
        let mut settings = Settings::defaults();
        settings.database.url = SecretUrl::new(database.url());
        settings.redis.url = SecretUrl::new(redis.url());
        settings.redis.prefix = redis.prefix().to_owned();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (running, shutdown) = Shutdown::new();
        tokio::spawn(task_scheduler_api::serve(listener, settings, Health::new("test"), shutdown));
        let world = Self { database, _redis: redis, url, key, _running: running };
        let answers = || async { (world.run(&["templates", "list"], "").await.code == 0).then_some(()) };
        eventually(Duration::from_secs(30), answers).await;
        world
    }

    /// Runs the command with this standard input.
    pub async fn run(&self, arguments: &[&str], input: &str) -> Ran {
        run(arguments, input, &self.url, &self.key).await
    }

    /// `apply` of a file with these flags.
    pub async fn apply(&self, file: &str, flags: &[&str]) -> Ran {
        self.run(&[&["apply", "-f", "-"], flags].concat(), file).await
    }
}

/// Runs a command that needs no server: it would not find one.
pub async fn run_alone(arguments: &[&str], input: &str) -> Ran {
    run(arguments, input, "http://127.0.0.1:9", "none").await
}

async fn run(arguments: &[&str], input: &str, url: &str, key: &str) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_scheduler"))
        .args(arguments)
        .env("SCHEDULER_URL", url)
        .env("SCHEDULER_API_KEY", key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // One that refuses its arguments does not read to the end.
    let _read_or_not = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let ended = tokio::time::timeout(Duration::from_secs(60), child.wait_with_output()).await;
    Ran::of(ended.expect("it ends").unwrap())
}

impl Ran {
    fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    /// The last line: how much is to be done.
    pub fn summary(&self) -> &str {
        self.out.trim_end().lines().last().unwrap_or_default()
    }

    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }
}
