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
use scheduler_core::config::{ApiSettings, DatabaseSettings, Settings};
use scheduler_core::health::Health;
use scheduler_core::lifecycle::Shutdown;
use scheduler_core::queue::HintSender;
use scheduler_core::reconcile::Wake;
use scheduler_core::store::{Store, StoreResult, StoreRole};
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
    let stores = Stores::open(&settings.database, &settings.api).context("database.url cannot be read")?;
    let app = assemble(Arc::clone(&settings), &stores, &health).await?;
    let loops = start_loops(&app, &stores, &health, &shutdown);
    let routes = router(Arc::clone(&app), health, init_metrics());
    let limits = Limits { connections: app.settings.api.max_connections, patience: PATIENCE };
    tracing::info!(address = %listener.local_addr()?, "the API listens");

    connections::serve(listener, routes, limits, &shutdown).await;
    for task in loops {
        let _a_panic_was_logged_by_its_hook = task.await;
    }
    stores.close().await;
    Ok(())
}

/// The connections to PostgreSQL, one pool per kind of work: requests that take long keep neither creates waiting nor the
/// clock, and so not the probes either.
struct Stores {
    /// Requests.
    requests: Store,
    /// Single creates.
    ingest: Store,
    /// The clock, and when API keys were last used.
    upkeep: Store,
}

impl Stores {
    fn open(database: &DatabaseSettings, api: &ApiSettings) -> StoreResult<Self> {
        let pool = |connections| attach::pool(database, "task_scheduler_api", StoreRole::Durable, connections);
        let flushers = u32::try_from(api.ingest_flushers).unwrap_or(u32::MAX);
        let ingest = flushers.clamp(1, (database.max_connections / 2).max(1));
        let requests = database.max_connections.saturating_sub(ingest + 1).max(1);
        Ok(Self { requests: pool(requests)?, ingest: pool(ingest)?, upkeep: pool(1)? })
    }

    async fn close(&self) {
        tokio::join!(self.requests.close(), self.ingest.close(), self.upkeep.close());
    }
}

async fn assemble(settings: Arc<Settings>, stores: &Stores, health: &Health) -> anyhow::Result<AppState> {
    let redis = attach::redis(&settings.redis).await?;
    let hints = Hints::new(HintSender::new(redis), settings.populator.lookahead);
    Ok(Arc::new(App {
        started: Arc::new(AtomicBool::new(false)),
        ingest: Ingest::start(stores.ingest.clone(), hints.clone(), &settings.api, health),
        clock: attach::unmeasured_clock(),
        keys: Arc::new(KeyCache::new(settings.api.key_cache)),
        lanes: Lanes::default(),
        store: stores.requests.clone(),
        hints,
        settings,
    }))
}

fn start_loops(
    app: &AppState,
    stores: &Stores,
    health: &Health,
    shutdown: &Shutdown,
) -> [tokio::task::JoinHandle<()>; 2] {
    let started = Arc::clone(&app.started);
    let clock = ClockSync::new(stores.upkeep.clone(), app.clock.clone(), health.clone(), started);
    let usage = KeyUsage { store: stores.upkeep.clone(), keys: Arc::clone(&app.keys) };
    let loops = Loops::new(health, shutdown);
    [
        tokio::spawn(loops.run(clock, Wake::new(), CLOCK_PERIOD)),
        tokio::spawn(loops.run(usage, Wake::new(), USAGE_PERIOD)),
    ]
}
