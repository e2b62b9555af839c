//! Moves due jobs from PostgreSQL into the Redis ready queues, fairly, and judges jobs that wait for others.
//!
//! * *Reads*: `jobs_live` (due and soon due, blocked), `claims`, `queues`, `merchants` (weights), `parent_endings`,
//!   `job_dependencies`, `jobs_finished` (how parents ended).
//! * *Writes*: the ready sets in Redis; `lane_leases`; `jobs_live`, `jobs_finished`, `occurrences` on its edges;
//!   due hints.
//! * *Wakes on*: due and ending hints, the timer wheel; otherwise every `populator.sweep_seconds`.
//! * *Edges it owns*: `blocked` → `scheduled` (dependencies met), `blocked` → `skipped` (a parent ended otherwise),
//!   `scheduled` → `skipped` (overlap).
//! * *If it dies*: another takes its lanes when their leases end (`populator.lane_lease_seconds`) and finds everything
//!   in PostgreSQL. Until then executors live on what Redis holds and on what they claim themselves.
//!
//! Being queued is no table write: what was pushed is remembered for a moment, and whatever Redis loses is found by the
//! next sweep. Any number of populators may run; a lane is served by one of them.

mod dependencies;
mod hints;
mod lane;
mod lanes;
mod overlaps;
mod upkeep;
mod weights;

use dependencies::{Announcer, BlockedSweep, Endings};
use lane::Tools;
use lanes::{LaneKeeper, Lanes};
use overlaps::Overlaps;
use scheduler_core::config::Settings;
use scheduler_core::health::Health;
use scheduler_core::lifecycle::Shutdown;
use scheduler_core::queue::{HintSender, ReadyQueue, Redis};
use scheduler_core::reconcile::{Reconcile, Wake, run_loop};
use scheduler_core::store::{Store, StoreOptions, StoreResult, StoreRole};
use std::collections::BTreeSet;
use std::time::Duration;
use upkeep::ClockStep;
use weights::{Weights, WeightsStep};

/// Silence after which a loop counts as stuck, on top of a few of its periods.
const MAX_SILENCE: Duration = Duration::from_secs(30);
/// The lane of queues that name none.
const DEFAULT_LANE: &str = "default";

/// Runs the service until the soft shutdown. An unreachable PostgreSQL or Redis makes it unhealthy and never ends it.
///
/// # Errors
/// When the settings name a database or a Redis in a way that cannot be used.
pub async fn run(settings: Settings, health: Health, shutdown: Shutdown) -> anyhow::Result<()> {
    let stores = Stores::open(&settings)?;
    let redis = &settings.redis;
    let redis = Redis::connect_with(redis.url.expose(), &redis.prefix, redis.command_timeout).await?;
    let Some(clock) = upkeep::first_reading(&stores.sweeps, &health, &shutdown).await else {
        return Ok(());
    };

    let (lanes, endings, weights) = (Lanes::default(), Wake::new(), Weights::default());
    let announcer = Announcer { hints: HintSender::new(redis.clone()), endings: endings.clone() };
    let tools = Tools {
        store: stores.sweeps.clone(),
        ready: ReadyQueue::new(redis.clone()),
        clock: clock.clone(),
        weights: weights.clone(),
        settings: settings.populator.clone(),
        health: health.clone(),
        endings: endings.clone(),
    };
    let keeper = LaneKeeper::new(stores.leases.clone(), configured_lanes(&settings), tools, lanes.clone());
    let holder = keeper.holder();
    let duties = Duties { health: health.clone(), shutdown: shutdown.clone() };
    let store = || stores.judges.clone();
    let sweep = settings.populator.sweep;

    let listening = hints::listen(&redis, lanes.clone(), endings.clone(), shutdown.clone());
    let (listened, ..) = tokio::join!(
        listening,
        duties.run(keeper, Wake::new(), settings.populator.lane_lease / 3),
        duties.run(Endings { store: store(), announcer: announcer.clone() }, endings.clone(), sweep),
        duties.run(BlockedSweep::new(store(), announcer), Wake::new(), dependencies::SWEEP_PERIOD),
        duties.run(Overlaps::new(store(), clock.clone(), endings), Wake::new(), sweep),
        duties.run(WeightsStep { store: store(), weights }, Wake::new(), weights::PERIOD),
        duties.run(ClockStep { store: store(), clock, health: health.clone() }, Wake::new(), upkeep::CLOCK_PERIOD),
        upkeep::watch_redis(redis.clone(), health, shutdown),
    );
    lanes::release_all(&lanes, &stores.leases, holder).await;
    stores.close().await;
    Ok(listened?)
}

/// Lanes to be served from the beginning; those that queues name are found in the database.
fn configured_lanes(settings: &Settings) -> BTreeSet<String> {
    let named = settings.executor.lanes.iter().map(|lane| lane.name.clone());
    named.chain([DEFAULT_LANE.to_owned()]).collect()
}

/// Runs duties side by side.
struct Duties {
    health: Health,
    shutdown: Shutdown,
}

impl Duties {
    async fn run<R: Reconcile>(&self, duty: R, wake: Wake, period: Duration) {
        let watched = self.health.register_loop(R::NAME, MAX_SILENCE + period * 4);
        run_loop(duty, wake, period, watched, self.shutdown.clone()).await;
    }
}

/// The connections to PostgreSQL, one pool per kind of work so that none waits for another.
struct Stores {
    /// Reading what is due.
    sweeps: Store,
    /// Judging jobs, and small reads.
    judges: Store,
    /// Leases, which must not wait.
    leases: Store,
}

impl Stores {
    fn open(settings: &Settings) -> StoreResult<Self> {
        let database = &settings.database;
        let patience = database.statement_timeout;
        let rest = database.max_connections.saturating_sub(1).max(2);
        let judges = (rest / 2).clamp(1, 3);
        let open = |connections, statement_timeout| {
            let mut options =
                StoreOptions::new(database.url.expose(), StoreRole::Results, connections, "queue_populator");
            options.statement_timeout = statement_timeout;
            Store::connect_lazy(&options)
        };
        Ok(Self {
            sweeps: open((rest - judges).max(1), patience)?,
            judges: open(judges, patience)?,
            leases: open(1, patience.min(settings.populator.lane_lease / 2))?,
        })
    }

    async fn close(&self) {
        tokio::join!(self.sweeps.close(), self.judges.close(), self.leases.close());
    }
}
