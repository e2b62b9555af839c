//! One lane that this populator holds: what is due goes to its ready sets, fairly and in bounded numbers.
//!
//! Two loops share the lane's memory. [`timers`] pushes at the moment: what hints announce, and what the wheel holds.
//! [`sweep`] rereads PostgreSQL, and so finds whatever hints, timers or Redis have lost.

pub mod backlog;
pub mod caps;
pub mod fair;
pub mod recent;
mod refusals;
pub mod state;
mod sweep;
mod timers;
pub mod wheel;

use crate::overlaps::Judge;
use crate::weights::Weights;
use parking_lot::Mutex;
use refusals::Refusals;
use scheduler_core::clock::Clock;
use scheduler_core::config::PopulatorSettings;
use scheduler_core::health::Health;
use scheduler_core::lifecycle::Shutdown;
use scheduler_core::queue::{DueHint, PushOutcome, QueueError, ReadyQueue};
use scheduler_core::store::Store;
use scheduler_core::telemetry::metrics as names;
use state::{Batch, Bounds, LaneState, PRIORITIES};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc};
use uuid::Uuid;

/// What every lane of a populator works with; cheap to clone.
#[derive(Clone)]
pub struct Tools {
    /// PostgreSQL, with plans by key.
    pub store: Store,
    /// The ready sets.
    pub ready: ReadyQueue,
    /// The database's time.
    pub clock: Clock,
    /// Shares of merchants.
    pub weights: Weights,
    /// The settings.
    pub settings: PopulatorSettings,
    /// Where the loops report.
    pub health: Health,
    /// Carries out what becomes of jobs with others in their way.
    pub judge: Judge,
}

/// Until when this process may act for its lanes, on its own monotonic clock.
#[derive(Debug)]
pub struct Lease {
    until: Mutex<Instant>,
}

impl Lease {
    /// A lease that has ended.
    pub fn ended() -> Self {
        Self { until: Mutex::new(Instant::now()) }
    }

    /// The lease was renewed: it ends `term` after the request was sent.
    pub fn renewed(&self, sent: Instant, term: Duration) {
        *self.until.lock() = sent + term;
    }

    /// Whether it lasts at present.
    pub fn lasts(&self) -> bool {
        Instant::now() < *self.until.lock()
    }
}

/// Why nothing was pushed.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The lease could not be renewed in time; another populator may have the lane.
    #[error("the lane's lease has run out")]
    LeaseOver,
    /// Redis did not do it.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// A lane and its memory.
pub struct Lane {
    name: String,
    /// Says whose pushes the ready sets hold; another for each time that a lane is taken.
    generation: Uuid,
    tools: Tools,
    bounds: Bounds,
    lease: Arc<Lease>,
    state: Mutex<LaneState>,
    /// Whether Redis knows our generation, so that its absence is a loss.
    known: Mutex<bool>,
    refusals: Refusals,
    /// Asks for a sweep now.
    sweep_now: Notify,
    /// A place under some concurrency cap was released.
    released: Notify,
    /// An earlier timer may have been set.
    timer_set: Notify,
}

impl Lane {
    /// A lane just taken.
    pub fn new(name: &str, tools: Tools, lease: Arc<Lease>) -> Self {
        let bounds = Bounds::new(tools.settings.depth_per_priority);
        let wheel = tools.settings.depth_per_priority.saturating_mul(4).max(4_096);
        let state = LaneState::new(tools.settings.recent, wheel);
        let refusals = Refusals::new(name, tools.health.clone());
        Self {
            name: name.to_owned(),
            generation: Uuid::new_v4(),
            tools,
            bounds,
            lease,
            state: Mutex::new(state),
            known: Mutex::new(false),
            refusals,
            sweep_now: Notify::new(),
            released: Notify::new(),
            timer_set: Notify::new(),
        }
    }

    /// Serves the lane until the shutdown.
    pub async fn run(self: Arc<Self>, hints: mpsc::Receiver<Vec<DueHint>>, shutdown: Shutdown) {
        tracing::info!(lane = self.name, "serving the lane");
        tokio::join!(timers::run(&self, hints, &shutdown), sweep::run(&self, &shutdown));
        self.zero_gauges();
        self.refusals.over();
        tracing::info!(lane = self.name, "no longer serving the lane");
    }

    /// Asks for a sweep now instead of in a moment.
    pub fn request_sweep(&self) {
        self.sweep_now.notify_one();
    }

    /// A place under some concurrency cap was released: what waits for it may be in this lane. Looked at soon, but never so
    /// often that the lane does nothing else.
    pub fn place_released(&self) {
        self.released.notify_one();
    }

    /// Pushes jobs of one priority, or asks for its depth, and takes in the answer.
    async fn push(&self, batch: &Batch) -> Result<PushOutcome, PushError> {
        if !self.lease.lasts() {
            self.state.lock().not_pushed(batch, Instant::now());
            return Err(PushError::LeaseOver);
        }
        match self.send(batch).await {
            Ok(outcome) => {
                self.take_in(batch, &outcome);
                if self.bounds.is_absurd(outcome.depth) {
                    self.rebuild(batch.priority, outcome.depth).await?;
                }
                Ok(outcome)
            }
            Err(error) => {
                let now = Instant::now();
                self.state.lock().not_pushed(batch, now);
                self.refusals.failed(&error, now);
                Err(error.into())
            }
        }
    }

    /// While pushes are refused a question writes something too: reads alone would say that all is well.
    async fn send(&self, batch: &Batch) -> Result<PushOutcome, QueueError> {
        let (ready, question) = (&self.tools.ready, batch.jobs.is_empty());
        if question && !self.refusals.under_way() {
            return ready.push(&self.name, batch.priority, self.generation, &[]).await;
        }
        let entries: Vec<_> = batch.jobs.iter().map(|job| (job.tag, job.member)).collect();
        let outcome = match question {
            true => ready.probe(&self.name, batch.priority, self.generation).await?,
            false => ready.push(&self.name, batch.priority, self.generation, &entries).await?,
        };
        self.refusals.over();
        Ok(outcome)
    }

    fn take_in(&self, batch: &Batch, outcome: &PushOutcome) {
        self.state.lock().pushed(batch, outcome, Instant::now());
        let was_known = std::mem::replace(&mut *self.known.lock(), true);
        if outcome.memory_lost && was_known {
            tracing::warn!(lane = self.name, "Redis has lost the lane's ready sets; rebuilding them");
            metrics::counter!(names::POPULATOR_REPAIRS_TOTAL, "lane" => self.name.clone()).increment(1);
            self.request_sweep();
        }
        self.depth_gauge(batch.priority).set(outcome.depth as f64);
        let now = self.tools.clock.now();
        for job in batch.jobs.iter().filter(|job| job.new) {
            let late = (now - job.run_at).to_std().unwrap_or(Duration::ZERO);
            metrics::histogram!(names::POPULATOR_PUSH_DELAY_SECONDS, "lane" => self.name.clone())
                .record(late.as_secs_f64());
        }
        let count = u64::try_from(batch.jobs.len()).unwrap_or(0);
        metrics::counter!(names::POPULATOR_PUSHED_TOTAL, "lane" => self.name.clone()).increment(count);
    }

    /// Throws away a ready set that holds more than was ever put there: what somebody else wrote into it keeps ours out.
    async fn rebuild(&self, priority: u8, depth: u64) -> Result<(), QueueError> {
        tracing::warn!(lane = self.name, priority, depth, "a ready set holds what we never pushed; rebuilding it");
        self.tools.ready.clear(&self.name, priority).await?;
        let lost = PushOutcome { memory_lost: true, depth: 0, head: None };
        self.state.lock().pushed(&Batch::question(priority), &lost, Instant::now());
        metrics::counter!(names::POPULATOR_REPAIRS_TOTAL, "lane" => self.name.clone()).increment(1);
        self.request_sweep();
        Ok(())
    }

    fn depth_gauge(&self, priority: u8) -> metrics::Gauge {
        metrics::gauge!(names::QUEUE_DEPTH, "lane" => self.name.clone(), "priority" => priority.to_string())
    }

    /// Another populator shows the lane's numbers from now on.
    fn zero_gauges(&self) {
        for priority in 0..PRIORITIES as u8 {
            self.depth_gauge(priority).set(0.0);
        }
        metrics::gauge!(names::QUEUE_OLDEST_AGE_SECONDS, "lane" => self.name.clone()).set(0.0);
        metrics::gauge!(names::POPULATOR_WHEEL_JOBS, "lane" => self.name.clone()).set(0.0);
    }
}
