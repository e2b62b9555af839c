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
mod weights;

use dependencies::{Announcer, BlockedSweep, Endings};
use lane::Tools;
use lanes::{LaneKeeper, Lanes};
use overlaps::{Judge, Overlaps};
use scheduler_core::attach::{self, CLOCK_PERIOD, ClockStep, Loops, RedisWatch};
use scheduler_core::config::Settings;
use scheduler_core::health::Health;
use scheduler_core::lifecycle::Shutdown;
use scheduler_core::queue::{HintSender, ReadyQueue};
use scheduler_core::reconcile::{Reconcile as _, Wake};
use scheduler_core::store::{Store, StoreResult, StoreRole};
use std::collections::BTreeSet;
use weights::{Weights, WeightsStep};

/// Shown in `pg_stat_activity`.
const NAME: &str = "queue_populator";
/// How work goes on while Redis does not answer.
const WITHOUT_REDIS: &str = "executors claim from PostgreSQL, slower";
/// The lane of queues that name none.
const DEFAULT_LANE: &str = "default";

/// Runs the service until the soft shutdown. An unreachable PostgreSQL or Redis makes it unhealthy and never ends it.
///
/// # Errors
/// When the settings name a database or a Redis in a way that cannot be used.
pub async fn run(settings: Settings, health: Health, shutdown: Shutdown) -> anyhow::Result<()> {
    let stores = Stores::open(&settings)?;
    let redis = attach::redis(&settings.redis).await?;
    let Some(clock) = attach::database_clock(&stores.sweeps, &health, &shutdown).await else {
        return Ok(());
    };

    let (lanes, endings, weights) = (Lanes::default(), Wake::new(), Weights::default());
    let announcer = Announcer { hints: HintSender::new(redis.clone()), endings: endings.clone() };
    let judge =
        |store: &Store| Judge { store: store.clone(), hints: HintSender::new(redis.clone()), endings: endings.clone() };
    let tools = Tools {
        store: stores.sweeps.clone(),
        ready: ReadyQueue::new(redis.clone()),
        clock: clock.clone(),
        weights: weights.clone(),
        settings: settings.populator.clone(),
        health: health.clone(),
        judge: judge(&stores.sweeps),
    };
    let mut weighing = WeightsStep { store: stores.judges.clone(), weights };
    // Before the first lane is served, or the first thousands of jobs would be shared out as if all weighed the same.
    if let Err(error) = weighing.tick().await {
        tracing::warn!(%error, "the merchants' weights are not known yet; until they are, all weigh the same");
    }
    let keeper = LaneKeeper::new(stores.leases.clone(), configured_lanes(&settings), tools, lanes.clone());
    let holder = keeper.holder();
    let loops = Loops::new(&health, &shutdown);
    let store = || stores.judges.clone();
    let sweep = settings.populator.sweep;

    let clock_step = ClockStep::new(store(), clock.clone(), health.clone()).showing(stores.all());
    let watch = RedisWatch::new(redis.clone(), WITHOUT_REDIS);
    let watching = async {
        tokio::select! {
            () = watch.run(health) => {}
            () = shutdown.soft() => {}
        }
    };
    let listening = hints::listen(&redis, lanes.clone(), endings.clone(), shutdown.clone());
    let (listened, ..) = tokio::join!(
        listening,
        loops.run(keeper, Wake::new(), settings.populator.lane_lease / 3),
        loops.run(Endings { store: store(), announcer: announcer.clone() }, endings.clone(), sweep),
        loops.run(BlockedSweep::new(store(), announcer), Wake::new(), dependencies::SWEEP_PERIOD),
        loops.run(Overlaps::new(judge(&stores.judges), clock.clone()), Wake::new(), sweep),
        loops.run(weighing, Wake::new(), weights::PERIOD),
        loops.run(clock_step, Wake::new(), CLOCK_PERIOD),
        watching,
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
        let rest = database.max_connections.saturating_sub(1).max(2);
        let judges = (rest / 2).clamp(1, 3);
        let open = |connections| attach::pool(database, NAME, StoreRole::Results, connections);
        let late = settings.populator.lane_lease / 2;
        Ok(Self {
            sweeps: open((rest - judges).max(1))?,
            judges: open(judges)?,
            leases: attach::hasty_pool(database, NAME, StoreRole::Results, 1, late)?,
        })
    }

    fn all(&self) -> [Store; 3] {
        [&self.sweeps, &self.judges, &self.leases].map(Store::clone)
    }

    async fn close(&self) {
        tokio::join!(self.sweeps.close(), self.judges.close(), self.leases.close());
    }
}
