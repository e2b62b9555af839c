//! Watches over what goes wrong: lost executors, failed attempts, missed starts; sends alerts and keeps house.
//!
//! * *Reads*: `sessions` and `claims` (who vanished with what), `jobs_live` (failed ones, start deadlines),
//!   `alert_outbox`, `incidents`, `merchants` (where alerts go).
//! * *Writes*: `sessions` (lost), `claims` (taken back), `jobs_live`, `jobs_finished` and `executions` (its edges),
//!   `alert_outbox`, `incidents`; `cap_counters` that differ from the claims; the lane of jobs whose queue has moved; makes and drops partitions; deletes expired idempotency keys; due and ending hints.
//! * *Wakes on*: failed hints, otherwise every `watcher.sweep_seconds` (house: `watcher.housekeeping_seconds`).
//! * *Edges it owns*: `running` → `retrying | cancelled | dead` (its session is lost), `failed` → `retrying | dead`,
//!   `scheduled | retrying` → `expired`.
//! * *If it dies*: what runs goes on; what fails stays `failed`, what is lost stays `running`, alerts wait. Another
//!   instance, or the next start, goes on from the rows alone.
//!
//! Any number of instances may run: rows are taken with `SKIP LOCKED` and written by guarded statements. There is no
//! leader.

mod alert_request;
mod alerts;
mod announcer;
mod caps;
mod contact;
mod deadlines;
mod halving;
mod housekeeping;
mod incidents;
mod lane_moves;
mod pace;
mod partitions;
mod reaper;
mod sessions;
mod stores;
mod verdicts;

pub use alert_request::{AlertRequest, sign};
pub use alerts::{Alerts, AlertsConfig};
pub use announcer::Announcer;
pub use caps::Caps;
pub use contact::Contact;
pub use deadlines::Deadlines;
pub use housekeeping::Housekeeping;
pub use incidents::{Incidents, IncidentsConfig};
pub use lane_moves::LaneMoves;
pub use partitions::{Partitions, Retention};
pub use reaper::{Reaper, ReaperConfig};
pub use sessions::{Sessions, SessionsConfig};
pub use stores::Stores;
pub use verdicts::{Verdicts, VerdictsConfig};

use scheduler_core::attach::{self, Loops};
use scheduler_core::config::Settings;
use scheduler_core::health::Health;
use scheduler_core::lifecycle::Shutdown;
use scheduler_core::queue::{HintSender, Redis, Topic};
use scheduler_core::reconcile::{Reconcile, Wake};
use std::time::Duration;

/// Runs the service until the soft shutdown. An unreachable PostgreSQL or Redis makes it unhealthy or slower and never
/// ends it.
///
/// # Errors
/// When the settings name a database or a Redis in a way that cannot be used, or no HTTP client can be made.
pub async fn run(settings: Settings, health: Health, shutdown: Shutdown) -> anyhow::Result<()> {
    let stores = Stores::connect(&settings)?;
    let redis = attach::redis(&settings.redis).await?;
    let wakes = Wakes::default();
    let duties = Duties::new(&settings, &stores, &redis, &health, &wakes)?;
    if attach::database_ready(&stores.sweeps, &health, &shutdown).await {
        // So that verdicts follow within milliseconds.
        let hints = attach::wake_on(redis, &[Topic::Failed], wakes.verdicts.clone(), shutdown.clone());
        let listening = tokio::spawn(hints);
        duties.run(&settings, wakes, &Loops::new(&health, &shutdown)).await;
        listening.abort();
    }
    stores.close().await;
    Ok(())
}

/// What lets one duty wake another.
#[derive(Clone, Default)]
struct Wakes {
    verdicts: Wake,
    reaper: Wake,
    alerts: Wake,
}

/// Every duty: one file each, all of one shape.
struct Duties {
    sessions: Sessions,
    reaper: Reaper,
    verdicts: Verdicts,
    deadlines: Deadlines,
    alerts: Alerts,
    incidents: Incidents,
    partitions: Partitions,
    housekeeping: Housekeeping,
    caps: Caps,
    lane_moves: LaneMoves,
}

impl Duties {
    fn new(
        settings: &Settings,
        stores: &Stores,
        redis: &Redis,
        health: &Health,
        wakes: &Wakes,
    ) -> anyhow::Result<Self> {
        let announcer = Announcer::new(HintSender::new(redis.clone()));
        let sweeps = || stores.sweeps.clone();
        Ok(Self {
            sessions: Sessions::new(sweeps(), SessionsConfig::of(settings), health.clone(), wakes.reaper.clone()),
            reaper: Reaper::new(stores, announcer.clone(), ReaperConfig::of(settings), wakes.alerts.clone()),
            verdicts: Verdicts::new(stores, announcer.clone(), VerdictsConfig::of(settings), wakes.alerts.clone()),
            deadlines: Deadlines::new(stores, announcer.clone(), settings.watcher.batch),
            alerts: Alerts::new(sweeps(), AlertsConfig::of(settings), wakes.alerts.clone())?,
            incidents: Incidents::new(sweeps(), IncidentsConfig::of(settings), wakes.alerts.clone()),
            partitions: Partitions::new(sweeps(), Retention::of(settings)),
            housekeeping: Housekeeping::new(sweeps(), settings.watcher.batch),
            caps: Caps::new(stores.edges.clone(), announcer),
            lane_moves: LaneMoves::new(stores.edges.clone(), settings.watcher.batch),
        })
    }

    /// Runs them all until the soft shutdown, then says goodbye.
    async fn run(self, settings: &Settings, wakes: Wakes, loops: &Loops) {
        let (sweep, house) = (settings.watcher.sweep, settings.watcher.housekeeping);
        let goodbye = self.sessions.goodbye();
        tokio::join!(
            spin(loops, self.sessions, Wake::new(), sweep.min(settings.session.renew)),
            spin(loops, self.reaper, wakes.reaper, sweep),
            spin(loops, self.verdicts, wakes.verdicts, sweep),
            spin(loops, self.deadlines, Wake::new(), sweep),
            spin(loops, self.incidents, Wake::new(), sweep),
            spin(loops, self.alerts, wakes.alerts, sweep),
            spin(loops, self.partitions, Wake::new(), house),
            spin(loops, self.housekeeping, Wake::new(), house),
            spin(loops, self.caps, Wake::new(), caps::PERIOD),
            spin(loops, self.lane_moves, Wake::new(), sweep),
        );
        goodbye.say().await;
    }
}

/// Runs one duty as a task of its own, so that none waits for the computing of another.
async fn spin<R: Reconcile + 'static>(loops: &Loops, duty: R, wake: Wake, period: Duration) {
    if let Err(error) = tokio::spawn(loops.run(duty, wake, period)).await {
        // Its silence makes the process unready; the others go on.
        tracing::error!(r#loop = R::NAME, %error, "a duty has ended unexpectedly");
    }
}
