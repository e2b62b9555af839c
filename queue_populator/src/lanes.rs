//! The lanes that this process holds: leasing them, renewing, serving each in a task of its own.

use crate::lane::{Lane, Lease, Tools};
use parking_lot::Mutex;
use scheduler_core::lifecycle::{Shutdown, ShutdownTrigger};
use scheduler_core::queue::DueHint;
use scheduler_core::reconcile::{Progress, Reconcile};
use scheduler_core::store::{Store, StoreError};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// How often the names of all lanes are read again.
const NAMES_EVERY: Duration = Duration::from_secs(3);
/// Messages that may wait for a lane; more are left to its sweep.
const WAITING_MESSAGES: usize = 1_024;

struct Running {
    lane: Arc<Lane>,
    hints: mpsc::Sender<Vec<DueHint>>,
    trigger: ShutdownTrigger,
    task: JoinHandle<()>,
}

/// The lanes that are served by this process; cheap to clone.
#[derive(Clone, Default)]
pub struct Lanes(Arc<Mutex<HashMap<String, Running>>>);

impl Lanes {
    /// Gives hints to the lanes that they are about. Those of lanes that are not ours are for others.
    pub fn deliver(&self, hints: Vec<DueHint>) {
        let mut by_lane: HashMap<String, Vec<DueHint>> = HashMap::new();
        for hint in hints {
            match by_lane.get_mut(&hint.lane) {
                Some(hints) => hints.push(hint),
                None => {
                    by_lane.insert(hint.lane.clone(), vec![hint]);
                }
            }
        }
        let lanes = self.0.lock();
        for (name, hints) in by_lane {
            let Some(running) = lanes.get(&name) else {
                continue;
            };
            if running.hints.try_send(hints).is_err() {
                running.lane.request_sweep();
            }
        }
    }

    /// Look at this lane now, if it is ours.
    pub fn sweep(&self, lane: &str) {
        if let Some(running) = self.0.lock().get(lane) {
            running.lane.request_sweep();
        }
    }

    /// Hints were lost: look everywhere.
    pub fn sweep_all(&self) {
        for running in self.0.lock().values() {
            running.lane.request_sweep();
        }
    }

    /// A place under some concurrency cap was released, which any lane may be waiting for.
    pub fn place_released(&self) {
        for running in self.0.lock().values() {
            running.lane.place_released();
        }
    }

    /// Names of the lanes that are served.
    pub fn names(&self) -> Vec<String> {
        self.0.lock().keys().cloned().collect()
    }

    fn start(&self, name: &str, tools: &Tools, lease: &Arc<Lease>) {
        let (trigger, shutdown) = Shutdown::new();
        let (hints, received) = mpsc::channel(WAITING_MESSAGES);
        let lane = Arc::new(Lane::new(name, tools.clone(), lease.clone()));
        let task = tokio::spawn(lane.clone().run(received, shutdown));
        self.0.lock().insert(name.to_owned(), Running { lane, hints, trigger, task });
    }

    /// Stops serving these lanes and waits until it is so.
    async fn stop(&self, names: &[String]) {
        let stopped: Vec<Running> = {
            let mut lanes = self.0.lock();
            names.iter().filter_map(|name| lanes.remove(name)).collect()
        };
        for running in &stopped {
            running.trigger.soft();
        }
        for running in stopped {
            if let Err(error) = running.task.await {
                tracing::error!(%error, "a lane ended in a panic");
            }
        }
    }

    /// Lanes whose task has ended although nobody asked for it.
    fn broken(&self) -> Vec<String> {
        let lanes = self.0.lock();
        lanes.iter().filter(|(_, running)| running.task.is_finished()).map(|(name, _)| name.clone()).collect()
    }
}

/// Leases lanes and serves the ones it gets.
pub struct LaneKeeper {
    store: Store,
    holder: Uuid,
    /// Lanes that are served even if nobody has named them yet.
    configured: BTreeSet<String>,
    names: BTreeSet<String>,
    names_read: Option<Instant>,
    tools: Tools,
    lease: Arc<Lease>,
    lanes: Lanes,
}

impl LaneKeeper {
    /// A keeper that holds nothing yet. `store` should be for it alone: a renewal that waits for a connection is a lease
    /// that ends.
    pub fn new(store: Store, configured: BTreeSet<String>, tools: Tools, lanes: Lanes) -> Self {
        Self {
            store,
            holder: Uuid::new_v4(),
            names: configured.clone(),
            configured,
            names_read: None,
            tools,
            lease: Arc::new(Lease::ended()),
            lanes,
        }
    }

    /// How this process names itself in leases.
    pub fn holder(&self) -> Uuid {
        self.holder
    }

    async fn read_names(&mut self) -> Result<(), StoreError> {
        if self.names_read.is_some_and(|at| at.elapsed() < NAMES_EVERY) {
            return Ok(());
        }
        let known = self.store.known_lanes().await?;
        self.names = self.configured.iter().cloned().chain(known).collect();
        self.names_read = Some(Instant::now());
        Ok(())
    }
}

impl Reconcile for LaneKeeper {
    const NAME: &'static str = "lanes";
    type Error = StoreError;

    async fn tick(&mut self) -> Result<Progress, StoreError> {
        // Renew first: the names can wait.
        let term = self.tools.settings.lane_lease;
        let names: Vec<String> = self.names.iter().cloned().collect();
        let sent = Instant::now();
        let held: BTreeSet<String> = self.store.lease_lanes(self.holder, &names, term).await?.into_iter().collect();
        self.lease.renewed(sent, term);

        let served: BTreeSet<String> = self.lanes.names().into_iter().collect();
        let mut lost: Vec<String> = served.difference(&held).cloned().collect();
        lost.extend(self.lanes.broken());
        self.lanes.stop(&lost).await;
        for name in held.difference(&served) {
            self.lanes.start(name, &self.tools, &self.lease);
        }

        let before = self.names.len();
        self.read_names().await?;
        Ok(if self.names.len() > before { Progress::More } else { Progress::Idle })
    }
}

/// Stops serving every lane and gives the leases up, so that another populator can go on at once.
pub async fn release_all(lanes: &Lanes, store: &Store, holder: Uuid) {
    let names = lanes.names();
    lanes.stop(&names).await;
    if let Err(error) = store.release_lanes(holder, &names).await {
        tracing::warn!(%error, "the leases were not given up; they end by themselves");
    }
}
