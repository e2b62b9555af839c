//! The executor as a whole: how its parts come together, run, and drain.

use crate::appetite::Appetite;
use crate::doubt::Experience;
use crate::hint_pump::HintPump;
use crate::lane::{Lane, Meter};
use crate::reporter::{Flushers, Reporter, reporter};
use crate::running::Running;
use crate::session::{Lease, Session, Sessions};
use crate::session_keeper::{Keeper, ProcessRows};
use crate::slots::Slots;
use crate::source::Source;
use crate::stores::Stores;
use crate::suspects::Suspects;
use crate::targets::Targets;
use crate::targets::http::HttpRunner;
use crate::targets::noop::NoopRunner;
use crate::{cancels, intake};
use scheduler_core::attach::{self, CLOCK_PERIOD, ClockStep, Loops, RedisWatch};
use scheduler_core::clock::Clock;
use scheduler_core::config::Settings;
use scheduler_core::health::Health;
use scheduler_core::lifecycle::Shutdown;
use scheduler_core::queue::{HintSender, Redis};
use scheduler_core::reconcile::Wake;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How work goes on while Redis does not answer.
const WITHOUT_REDIS: &str = "jobs are claimed from PostgreSQL, slower";

/// Results that cannot be written for this long make the process unready.
const RESULTS_SILENCE: Duration = Duration::from_secs(30);

/// What the parts of one executor share.
pub(crate) struct Shared {
    /// The settings.
    pub settings: Settings,
    /// Connections to PostgreSQL.
    pub stores: Stores,
    /// The database's time.
    pub clock: Clock,
    /// The session that claims are made for.
    pub sessions: Sessions,
    /// The rhythm of sessions.
    pub lease: Lease,
    /// Attempts under way.
    pub running: Running,
    /// Jobs that have to run alone.
    pub suspects: Suspects,
    /// Where results go.
    pub reporter: Reporter,
    /// What runs them.
    pub targets: Targets,
    /// Every attempt, and whatever else has to be waited for in a drain.
    pub tasks: TaskTracker,
    /// Soft: take nothing new.
    pub shutdown: Shutdown,
    /// The drain is over: attempts still running are cut off.
    pub abort: CancellationToken,
    leftovers: AtomicBool,
}

impl Shared {
    /// Something may still be claimed by the session when the executor ends.
    pub fn leave_something(&self) {
        self.leftovers.store(true, Ordering::Release);
    }

    /// How sessions of this process are written.
    pub fn process_rows(&self) -> ProcessRows {
        ProcessRows {
            store: self.stores.session.clone(),
            host: attach::host_name(),
            lanes: self.settings.executor.lanes.iter().map(|lane| lane.name.clone()).collect(),
            lost_after: self.lease.lost_after,
        }
    }
}

/// See [`crate::run`].
pub(crate) async fn run(settings: Settings, health: Health, shutdown: Shutdown) -> anyhow::Result<()> {
    let stores = Stores::open(&settings)?;
    let redis = attach::redis(&settings.redis).await?;
    let Some(clock) = attach::database_clock(&stores.watch, &health, &shutdown).await else {
        return Ok(());
    };
    let (executor, background) = Executor::start(settings, stores, redis, clock, health, shutdown)?;
    executor.until_drained().await;
    drop(background);
    Ok(())
}

/// The parts that a drain has to wait for.
struct Executor {
    shared: Arc<Shared>,
    intakes: JoinSet<()>,
    flushers: JoinSet<()>,
    reported: CancellationToken,
    keeper: JoinHandle<Option<Arc<Session>>>,
    keeper_stop: CancellationToken,
}

impl Executor {
    /// Starts all parts; the second part of the answer is what ends by being dropped.
    fn start(
        settings: Settings,
        stores: Stores,
        redis: Redis,
        clock: Clock,
        health: Health,
        shutdown: Shutdown,
    ) -> anyhow::Result<(Self, JoinSet<()>)> {
        let mut background = JoinSet::new();
        let (hints, redis_watch) = (HintPump::default(), RedisWatch::new(redis.clone(), WITHOUT_REDIS));
        background.spawn(hints.clone().run(HintSender::new(redis.clone())));
        background.spawn(redis_watch.clone().run(health.clone()));
        let clock_step = ClockStep::new(stores.watch.clone(), clock.clone(), health.clone()).showing(stores.all());
        // What is drained needs the time to the last.
        background.spawn(Loops::new(&health, &Shutdown::never()).run(clock_step, Wake::new(), CLOCK_PERIOD));

        let (publish, current) = watch::channel(None);
        let (shared, flushers) = share(settings, stores, clock, Sessions(current), hints, shutdown)?;
        let (keeper, keeper_stop) = keep_session(&shared, publish, &health);

        let (mut writing, reported) = (JoinSet::new(), CancellationToken::new());
        for _ in 0..shared.settings.executor.result_flushers {
            let watched = health.register_loop("results", RESULTS_SILENCE);
            writing.spawn(Arc::clone(&flushers).run(reported.clone(), watched));
        }
        let watched = health.register_loop("cancels", Duration::from_secs(60));
        background.spawn(cancels::run(Arc::clone(&shared), redis_watch.clone(), watched));

        let intakes = start_intakes(&shared, &redis_watch, &health);
        let executor = Self { shared, intakes, flushers: writing, reported, keeper, keeper_stop };
        Ok((executor, background))
    }

    /// Waits for the soft shutdown, then brings everything to its end.
    async fn until_drained(mut self) {
        let shared = self.shared;
        shared.shutdown.soft().await;
        tracing::info!("draining: taking nothing new");
        while self.intakes.join_next().await.is_some() {}
        shared.tasks.close();
        let grace = shared.settings.executor.drain_grace;
        tokio::select! {
            () = shared.tasks.wait() => {}
            () = tokio::time::sleep(grace) => {}
            () = shared.shutdown.hard() => {}
        }
        if !shared.tasks.is_empty() {
            tracing::warn!(attempts = shared.tasks.len(), "the drain is over: attempts are cut off and will run again");
            shared.abort.cancel();
            shared.tasks.wait().await;
        }
        self.reported.cancel();
        while self.flushers.join_next().await.is_some() {}
        self.keeper_stop.cancel();
        if let Ok(Some(session)) = self.keeper.await {
            end_session(&shared, &session).await;
        }
        shared.stores.close().await;
    }
}

fn share(
    settings: Settings,
    stores: Stores,
    clock: Clock,
    sessions: Sessions,
    hints: HintPump,
    shutdown: Shutdown,
) -> anyhow::Result<(Arc<Shared>, Arc<Flushers>)> {
    let targets = Targets { http: HttpRunner::new(&settings.executor, clock.clone())?, noop: NoopRunner };
    let lease = Lease { renew: settings.session.renew, lost_after: settings.session.lost };
    let (batch, patience) = (settings.executor.result_batch, settings.database.statement_timeout);
    let (reporter, flushers) = reporter(stores.results.clone(), hints, shutdown.clone(), batch, patience);
    let shared = Shared {
        settings,
        stores,
        clock,
        sessions,
        lease,
        running: Running::default(),
        suspects: Suspects::default(),
        reporter,
        targets,
        tasks: TaskTracker::new(),
        shutdown,
        abort: CancellationToken::new(),
        leftovers: AtomicBool::new(false),
    };
    Ok((Arc::new(shared), Arc::new(flushers)))
}

fn keep_session(
    shared: &Arc<Shared>,
    publish: watch::Sender<Option<Arc<Session>>>,
    health: &Health,
) -> (JoinHandle<Option<Arc<Session>>>, CancellationToken) {
    let stop = CancellationToken::new();
    let watched = health.register_loop("session", shared.lease.lost_after * 4);
    let (rows, lease, health) = (shared.process_rows(), shared.lease, health.clone());
    let keeper = Keeper { rows, lease, publish, health, watched };
    (tokio::spawn(keeper.run(stop.clone())), stop)
}

/// The loops of every lane.
fn start_intakes(shared: &Arc<Shared>, watch: &RedisWatch, health: &Health) -> JoinSet<()> {
    let settings = &shared.settings.executor;
    let process = Arc::new(Semaphore::new(settings.concurrency));
    let loops = settings.claim_loops * settings.lanes.iter().len();
    let mut intakes = JoinSet::new();
    for served in settings.lanes.iter() {
        let limit = served.concurrency.unwrap_or(settings.concurrency).min(settings.concurrency);
        let lane = Arc::new(Lane {
            name: served.name.clone(),
            slots: Slots::new(limit, Arc::clone(&process)),
            shared: Arc::clone(shared),
            meter: Meter::of(&served.name),
        });
        // The loops of a lane share its places, so that their claims overlap.
        let most = settings.claim_batch.min(limit.div_ceil(settings.claim_loops));
        let appetite = Appetite::new(most, settings.concurrency / (4 * loops));
        let experience = Arc::new(Experience::default());
        for index in 0..settings.claim_loops {
            let store = shared.stores.claims.clone();
            let source =
                Source::new(settings, &lane.name, index, watch.clone(), Arc::clone(&experience), store, health.clone());
            let watched = health.register_loop(&format!("intake:{}", lane.name), Duration::from_secs(60));
            intakes.spawn(intake::run(Arc::clone(&lane), source, appetite, watched));
        }
    }
    intakes
}

/// Says that the session holds nothing any more, unless it may.
async fn end_session(shared: &Shared, session: &Session) {
    let unwritten = shared.reporter.pending();
    if shared.leftovers.load(Ordering::Acquire) || unwritten > 0 {
        tracing::warn!(unwritten, "the session is left to be missed: it may still hold claims");
        return;
    }
    let ending = shared.stores.session.end_session(session.id);
    match tokio::time::timeout(Duration::from_secs(2), ending).await {
        Ok(Ok(())) => tracing::info!(session = %session.id, "session ended"),
        _ => tracing::warn!("the session was not ended; it will be missed"),
    }
}
