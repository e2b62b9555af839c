//! A scheduler of its own for one test: database, Redis prefix, daemons as processes.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use scheduler_core::domain::{MerchantId, Scope};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use test_support::{TestDatabase, TestRedis, eventually, free_port, install_tls_provider, seed};

/// The five daemons.
pub const DAEMONS: [&str; 5] =
    ["task_scheduler_api", "task_recurrence_manager", "queue_populator", "task_executor", "task_failure_watcher"];
/// How long anything in these tests may take that is not itself measured.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Running daemons on a database and a Redis prefix of their own. Everything ends with the value.
pub struct Cluster {
    /// The database.
    pub database: TestDatabase,
    /// The corner of Redis.
    pub redis: TestRedis,
    /// The merchant that the client speaks for.
    pub merchant: MerchantId,
    base: String,
    key: String,
    http: reqwest::Client,
    environment: Vec<(String, String)>,
    processes: HashMap<&'static str, Vec<Child>>,
    logs: PathBuf,
}

impl Cluster {
    /// Starts one of each daemon.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts one of each daemon with extra settings, as (environment variable, value).
    pub async fn start_with(settings: &[(&str, &str)]) -> Self {
        let mut cluster = Self::prepare(settings).await;
        for daemon in DAEMONS {
            cluster.launch(daemon);
        }
        cluster.wait_until_ready().await;
        cluster
    }

    /// Database, merchant and key, but no daemons yet.
    pub async fn prepare(settings: &[(&str, &str)]) -> Self {
        install_tls_provider();
        let (database, redis) = (TestDatabase::new().await, TestRedis::new().await);
        let merchant = seed::merchant(database.store(), "acme").await;
        let (_, key) = database.store().create_api_key(merchant, "test", &Scope::ALL, None).await.unwrap();
        let listen = format!("127.0.0.1:{}", free_port());
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut environment = vec![
            set("SCHEDULER_DATABASE_URL", database.url()),
            set("SCHEDULER_REDIS_URL", redis.url()),
            set("SCHEDULER_REDIS_PREFIX", redis.prefix()),
            set("SCHEDULER_API_LISTEN", &listen),
            set("SCHEDULER_EXECUTOR_ALLOW_PRIVATE_ADDRESSES", "true"),
            set("SCHEDULER_LOG_FORMAT", "json"),
        ];
        environment.extend(settings.iter().map(|(name, value)| set(name, value)));
        let logs = target_folder().join("system-tests").join(redis.prefix());
        std::fs::create_dir_all(&logs).unwrap();
        Self {
            base: format!("http://{listen}"),
            key: key.reveal(),
            http: reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap(),
            processes: HashMap::new(),
            database,
            redis,
            merchant,
            environment,
            logs,
        }
    }

    /// Starts one more process of a daemon.
    pub fn launch(&mut self, daemon: &'static str) {
        let program = target_folder().join(daemon);
        assert!(
            program.exists(),
            "{} is not built; run `make test` or `cargo build --workspace --bins`",
            program.display()
        );
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.logs.join(format!("{daemon}.log")))
            .unwrap();
        let mut command = Command::new(program);
        command.envs(self.environment.iter().cloned()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        match daemon {
            "task_scheduler_api" => command.env("SCHEDULER_ADMIN_LISTEN", "off"),
            _ => command.env("SCHEDULER_ADMIN_LISTEN", format!("127.0.0.1:{}", free_port())),
        };
        self.processes.entry(daemon).or_default().push(command.spawn().unwrap());
    }

    /// `kill -9` of every process of a daemon.
    pub fn kill(&mut self, daemon: &'static str) {
        for mut child in self.processes.remove(daemon).unwrap_or_default() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// SIGTERM to every process of a daemon; waits for them and returns whether all ended with 0.
    pub async fn stop(&mut self, daemon: &'static str) -> bool {
        let mut clean = true;
        for mut child in self.processes.remove(daemon).unwrap_or_default() {
            kill(pid_of(&child), Signal::SIGTERM).unwrap();
            let ended = tokio::task::spawn_blocking(move || child.wait().unwrap());
            clean &= tokio::time::timeout(PATIENCE, ended).await.expect("did not stop").unwrap().success();
        }
        clean
    }

    /// Waits until the API answers that it is ready.
    pub async fn wait_until_ready(&self) {
        eventually(PATIENCE, || async {
            let answer = self.http.get(format!("{}/health/ready", self.base)).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
    }

    /// Sends a request; returns status and body.
    pub async fn call(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request = self.http.request(method, format!("{}{path}", self.base)).header("x-api-key", &self.key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// `GET` that must be answered with 200.
    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.call(reqwest::Method::GET, path, None).await;
        assert_eq!(status, 200, "GET {path}: {body}");
        body
    }

    /// `POST` that must be answered with 2xx.
    pub async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.call(reqwest::Method::POST, path, Some(body)).await;
        assert!((200..300).contains(&status), "POST {path}: {status} {answer}");
        answer
    }

    /// Creates a job and returns its id.
    pub async fn create(&self, body: Value) -> String {
        self.post("/v1/jobs", body).await["id"].as_str().unwrap().to_owned()
    }

    /// Creates `count` copies of a job in one request and returns their ids.
    pub async fn create_many(&self, body: Value, count: usize) -> Vec<String> {
        let answer = self.post("/v1/jobs/batch", json!({ "jobs": vec![body; count] })).await;
        answer["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect()
    }

    /// A job as the API shows it.
    pub async fn job(&self, id: &str) -> Value {
        self.get(&format!("/v1/jobs/{id}")).await
    }

    /// Waits until a job is in this state, and returns it.
    pub async fn wait_for_state(&self, id: &str, state: &str) -> Value {
        let patience = tokio::time::timeout(PATIENCE, async {
            loop {
                let job = self.job(id).await;
                if job["state"] == state {
                    return job;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        match patience.await {
            Ok(job) => job,
            Err(_) => panic!("job {id} did not become {state}: {}; logs: {}", self.job(id).await, self.logs.display()),
        }
    }

    /// Waits until nothing of the merchant is live any more.
    pub async fn wait_until_quiet(&self, limit: Duration) {
        eventually(limit, || async {
            let live: i64 = sqlx_count(self.database.store(), "SELECT count(*) FROM jobs_live").await;
            (live == 0).then_some(())
        })
        .await;
    }

    /// The database's clock.
    pub async fn database_now(&self) -> chrono::DateTime<chrono::Utc> {
        test_support::seed::database_now(self.database.store()).await
    }

    /// One number from the database.
    pub async fn count(&self, statement: &'static str) -> i64 {
        sqlx_count(self.database.store(), statement).await
    }
}

async fn sqlx_count(store: &scheduler_core::store::Store, statement: &'static str) -> i64 {
    sqlx::query_scalar(statement).fetch_one(store.pool()).await.unwrap()
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for child in self.processes.values_mut().flatten() {
            let _already_gone = child.kill();
            let _already_reaped = child.wait();
        }
        // The logs of a failed test are its evidence.
        if !std::thread::panicking() {
            let _absent = std::fs::remove_dir_all(&self.logs);
        }
    }
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap())
}

/// `target/debug` (or `release`): two above this test binary.
fn target_folder() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    here.ancestors().nth(2).unwrap().to_owned()
}
