//! Puts the parts together and serves until told to stop.

use crate::clock_sync::ClockSync;
use crate::connections::{self, Limits};
use crate::hints::Hints;
use crate::ingest::Ingest;
use crate::key_cache::{KeyCache, KeyUsage};
use crate::lanes::Lanes;
use crate::router::router;
use crate::state::{App, AppState};
use anyhow::Context as _;
use scheduler_core::attach::{self, CLOCK_PERIOD, DATABASE, Loops};
use scheduler_core::config::Settings;
use scheduler_core::health::Health;
use scheduler_core::lifecycle::Shutdown;
use scheduler_core::queue::HintSender;
use scheduler_core::reconcile::Wake;
use scheduler_core::store::StoreRole;
use scheduler_core::telemetry::init_metrics;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::net::TcpListener;

/// How long a client may take to send the head of a request, or say nothing between two requests.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often `last_used_at` of API keys is written.
const USAGE_PERIOD: Duration = Duration::from_secs(10);

/// Serves the API at `api.listen` until the shutdown. An unreachable PostgreSQL or Redis never ends it: callers hear 503
/// until the database is back; without Redis work starts a sweep later.
///
/// # Errors
/// When the address cannot be listened on, or a URL of the settings cannot be read.
pub async fn run(settings: Settings, health: Health, shutdown: Shutdown) -> anyhow::Result<()> {
    let address = settings.api.listen;
    let listener =
        TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address} (api.listen)"))?;
    serve(listener, settings, health, shutdown).await
}

/// The same on a listener that is bound already.
///
/// # Errors
/// When a URL of the settings cannot be read.
pub async fn serve(
    listener: TcpListener,
    settings: Settings,
    health: Health,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    health.unhealthy(DATABASE, "not reached yet");
    let settings = Arc::new(settings);
    let app = assemble(Arc::clone(&settings)).await?;
    let loops = start_loops(&app, &health, &shutdown);
    let routes = router(Arc::clone(&app), health, init_metrics());
    let limits = Limits { connections: app.settings.api.max_connections, patience: PATIENCE };
    tracing::info!(address = %listener.local_addr()?, "the API listens");

    connections::serve(listener, routes, limits, &shutdown).await;
    for task in loops {
        let _a_panic_was_logged_by_its_hook = task.await;
    }
    app.store.close().await;
    Ok(())
}

async fn assemble(settings: Arc<Settings>) -> anyhow::Result<AppState> {
    let database = &settings.database;
    let store = attach::pool(database, "task_scheduler_api", StoreRole::Durable, database.max_connections)
        .context("database.url cannot be read")?;
    let redis = attach::redis(&settings.redis).await?;
    let hints = Hints::new(HintSender::new(redis), settings.populator.lookahead);
    Ok(Arc::new(App {
        started: Arc::new(AtomicBool::new(false)),
        ingest: Ingest::start(store.clone(), hints.clone(), &settings.api),
        clock: attach::unmeasured_clock(),
        keys: Arc::new(KeyCache::new(settings.api.key_cache)),
        lanes: Lanes::default(),
        store,
        hints,
        settings,
    }))
}

fn start_loops(app: &AppState, health: &Health, shutdown: &Shutdown) -> [tokio::task::JoinHandle<()>; 2] {
    let started = Arc::clone(&app.started);
    let clock = ClockSync::new(app.store.clone(), app.clock.clone(), health.clone(), started);
    let usage = KeyUsage { store: app.store.clone(), keys: Arc::clone(&app.keys) };
    let loops = Loops::new(health, shutdown);
    [
        tokio::spawn(loops.run(clock, Wake::new(), CLOCK_PERIOD)),
        tokio::spawn(loops.run(usage, Wake::new(), USAGE_PERIOD)),
    ]
}
