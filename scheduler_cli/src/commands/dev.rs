//! `scheduler dev`: every daemon in one process, and a demo merchant.

use crate::cli::Globals;
use crate::dev_env::DevEnv;
use anyhow::Context as _;
use scheduler_core::config::Settings;
use scheduler_core::domain::{ApiKeySecret, MerchantId, Scope};
use scheduler_core::health::Health;
use scheduler_core::lifecycle::{Shutdown, ShutdownTrigger};
use scheduler_core::store::{Store, StoreOptions, StoreRole};
use scheduler_core::telemetry;
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

/// Name of the merchant that `scheduler dev` creates.
const DEMO_MERCHANT: &str = "demo";
/// How long the start may take before it counts as failed.
const START_LIMIT: Duration = Duration::from_secs(30);

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder for the `env` file with URL and key
    #[arg(long, default_value = ".dev")]
    dev_dir: PathBuf,
}

type Running = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

/// Runs until SIGINT or SIGTERM.
pub async fn run(args: Args, globals: &Globals) -> anyhow::Result<()> {
    let mut settings = globals.settings()?;
    telemetry::init_logging(&settings.log);
    let _upkeep = tokio::spawn(telemetry::run_upkeep(telemetry::init_metrics(), Shutdown::never()));
    let before = DevEnv::read(&args.dev_dir.join("env")).unwrap_or_default();
    settings.api.listen = free_address(settings.api.listen, &before).await?;
    // The receivers of a developer are on this machine.
    settings.executor.allow_private_addresses = true;

    let key = prepare_database(&settings, &before).await?;
    let url = format!("http://{}", settings.api.listen);
    DevEnv::write(
        &args.dev_dir,
        &[
            ("SCHEDULER_URL", &url),
            ("SCHEDULER_API_KEY", &key),
            ("SCHEDULER_DATABASE_URL", settings.database.url.expose()),
            ("SCHEDULER_REDIS_URL", settings.redis.url.expose()),
        ],
    )
    .with_context(|| format!("cannot write {}/env", args.dev_dir.display()))?;

    let (trigger, shutdown) = Shutdown::new();
    trigger.clone().on_signals(settings.executor.drain_grace + Duration::from_secs(5))?;
    let health = Health::new("scheduler dev");
    let daemons = start_daemons(&settings, &health, &shutdown, &trigger);
    tokio::select! {
        ready = wait_until_ready(&url) => {
            ready?;
            banner(&url, &key, &args.dev_dir);
        }
        () = shutdown.soft() => {}
    }
    let mut outcome = Ok(());
    for (name, daemon) in daemons {
        if let Err(error) = daemon.await.context("panicked").and_then(|result| result).context(name) {
            outcome = outcome.and(Err(error));
        }
    }
    outcome
}

/// Migrates, and finds or creates the demo merchant with a key.
async fn prepare_database(settings: &Settings, before: &DevEnv) -> anyhow::Result<String> {
    let options = StoreOptions::new(settings.database.url.expose(), StoreRole::Durable, 2, "scheduler_dev");
    let store = Store::connect_lazy(&options).context("database.url cannot be used")?;
    store.migrate().await.context("cannot prepare the database")?;
    let merchant = demo_merchant(&store).await?;
    if let Some(known) = before.get("SCHEDULER_API_KEY").and_then(ApiKeySecret::parse) {
        let stored = store.api_key(&known.id).await?;
        let now = store.read_clock().await?.database;
        if stored.is_some_and(|stored| stored.merchant == merchant && stored.accepts(&known, now)) {
            return Ok(known.reveal());
        }
    }
    let (_, secret) = store.create_api_key(merchant, "dev", &Scope::ALL, None).await?;
    Ok(secret.reveal())
}

async fn demo_merchant(store: &Store) -> anyhow::Result<MerchantId> {
    if let Some(merchant) = store.find_merchant(DEMO_MERCHANT).await? {
        return Ok(merchant.id);
    }
    let created = store.create_merchant(DEMO_MERCHANT, 1).await?;
    Ok(created.context("the demo merchant was created by somebody else just now; start again")?.id)
}

/// The address of the last start if it is free, else the one of the settings, else any free port.
async fn free_address(wanted: SocketAddr, before: &DevEnv) -> anyhow::Result<SocketAddr> {
    let last = before.get("SCHEDULER_URL").and_then(|url| url.strip_prefix("http://")?.parse().ok());
    for candidate in last.into_iter().chain([wanted]) {
        if tokio::net::TcpListener::bind(candidate).await.is_ok() {
            return Ok(candidate);
        }
    }
    let any = tokio::net::TcpListener::bind((wanted.ip(), 0)).await.context("no free port for the API")?;
    Ok(any.local_addr()?)
}

/// Starts the five daemons; the first that ends stops the others.
fn start_daemons(
    settings: &Settings,
    health: &Health,
    shutdown: &Shutdown,
    trigger: &ShutdownTrigger,
) -> Vec<(&'static str, tokio::task::JoinHandle<anyhow::Result<()>>)> {
    let (s, h, d) = (|| settings.clone(), || health.clone(), || shutdown.clone());
    let daemons: Vec<(&'static str, Running)> = vec![
        ("task_scheduler_api", Box::pin(task_scheduler_api::run(s(), h(), d()))),
        ("task_recurrence_manager", Box::pin(task_recurrence_manager::run(s(), h(), d()))),
        ("queue_populator", Box::pin(queue_populator::run(s(), h(), d()))),
        ("task_executor", Box::pin(task_executor::run(s(), h(), d()))),
        ("task_failure_watcher", Box::pin(task_failure_watcher::run(s(), h(), d()))),
    ];
    let start = |(name, running): (&'static str, Running)| {
        let trigger = trigger.clone();
        let task = tokio::spawn(async move {
            let outcome = running.await;
            trigger.soft();
            outcome
        });
        (name, task)
    };
    daemons.into_iter().map(start).collect()
}

async fn wait_until_ready(url: &str) -> anyhow::Result<()> {
    let http = reqwest::Client::builder().timeout(Duration::from_secs(2)).no_proxy().build()?;
    let ready = async {
        loop {
            let answer = http.get(format!("{url}/health/ready")).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(START_LIMIT, ready).await.with_context(|| {
        format!("the scheduler did not become ready within {} s; see {url}/health/ready", START_LIMIT.as_secs())
    })
}

fn banner(url: &str, key: &str, dev_dir: &Path) {
    println!(
        r#"
The scheduler runs.

  API   {url}
  docs  {url}/docs
  key   {key}   (merchant `demo`)
  (both are in {dev}/env: `set -a; . {dev}/env; set +a`)

Try, in another terminal:

  target/debug/scheduler listen

  curl -X POST {url}/v1/jobs -H 'x-api-key: {key}' -H 'content-type: application/json' \
    -d '{{"target":{{"kind":"http","url":"http://127.0.0.1:9000/hello"}},"payload":{{"hello":"world"}}}}'

  target/debug/scheduler jobs list

Ctrl-C stops everything; the data stays. `make dev-reset` starts anew.
"#,
        dev = dev_dir.display()
    );
}
