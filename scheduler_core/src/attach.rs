//! What every daemon does first and keeps doing: wait for a database that can be worked with, keep its clock, listen for hints.

use crate::clock::Clock;
use crate::health::Health;
use crate::lifecycle::Shutdown;
use crate::queue::hints::Topic;
use crate::queue::{HintReceiver, Redis};
use crate::reconcile::{Progress, Reconcile, Wake};
use crate::store::{Store, StoreError, StoreResult};
use crate::telemetry::metrics as names;
use std::time::Duration;

/// Name of the database in the health report.
pub const DATABASE: &str = "postgresql";
/// How often the database's clock is read.
pub const CLOCK_PERIOD: Duration = Duration::from_secs(5);

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Readings before work begins: the best of them counts.
const FIRST_READINGS: usize = 3;

/// The clock of the database, once that can be reached and has the schema; `None` when the shutdown comes first.
pub async fn database_clock(store: &Store, health: &Health, shutdown: &Shutdown) -> Option<Clock> {
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match first_readings(store).await {
            Ok(clock) => {
                health.healthy(DATABASE);
                return Some(clock);
            }
            Err(error) => error,
        };
        health.unhealthy(DATABASE, explain(&error));
        let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        tracing::warn!(%error, cause, "the database cannot be used yet; trying again");
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
            () = shutdown.soft() => return None,
        }
    }
}

async fn first_readings(store: &Store) -> StoreResult<Clock> {
    store.require_schema().await?;
    let first = store.read_clock().await?;
    let clock = Clock::database(first.database, first.received.duration_since(first.sent));
    clock.observe(first.database, first.sent, first.received);
    for _ in 1..FIRST_READINGS {
        let reading = store.read_clock().await?;
        clock.observe(reading.database, reading.sent, reading.received);
    }
    Ok(clock)
}

/// Why the database does not work, in a sentence fit for whoever can reach the admin port.
pub fn explain(error: &StoreError) -> String {
    match error {
        StoreError::SchemaTooOld { .. } => error.to_string(),
        _ if error.is_unavailable() => "does not answer".to_owned(),
        _ => "refuses what it is asked; see the log".to_owned(),
    }
}

/// Keeps a clock in step with the database's, and says in the health report whether that answers. Run it every
/// [`CLOCK_PERIOD`].
pub struct ClockStep {
    store: Store,
    clock: Clock,
    health: Health,
}

impl ClockStep {
    /// Corrects `clock` by readings over `store`.
    pub fn new(store: Store, clock: Clock, health: Health) -> Self {
        Self { store, clock, health }
    }

    fn show_pool(&self) {
        let (size, idle) = self.store.pool_size();
        metrics::gauge!(names::DB_POOL_CONNECTIONS, "state" => "idle").set(idle as f64);
        metrics::gauge!(names::DB_POOL_CONNECTIONS, "state" => "used").set(f64::from(size) - idle as f64);
        metrics::gauge!(names::CLOCK_ERROR_SECONDS).set(self.clock.error().as_secs_f64());
    }
}

impl Reconcile for ClockStep {
    const NAME: &'static str = "clock";
    type Error = StoreError;

    async fn tick(&mut self) -> Result<Progress, StoreError> {
        let reading = self.store.read_clock().await;
        match &reading {
            Ok(reading) => {
                self.clock.observe(reading.database, reading.sent, reading.received);
                self.health.healthy(DATABASE);
            }
            Err(error) => self.health.unhealthy(DATABASE, explain(error)),
        }
        self.show_pool();
        reading.map(|_| Progress::Idle)
    }
}

/// Wakes a loop at each hint of these topics until the soft shutdown. Without hints the loop's period does the work.
pub async fn wake_on(redis: Redis, topics: &[Topic], wake: Wake, shutdown: Shutdown) {
    let mut receiver = match HintReceiver::subscribe(&redis, topics).await {
        Ok(receiver) => receiver,
        Err(error) => {
            tracing::warn!(%error, ?topics, "no hints; the periodic look does the work");
            return;
        }
    };
    loop {
        tokio::select! {
            // Whatever was heard or missed, the answer is the same: look.
            _ = receiver.next() => wake.wake(),
            () = shutdown.soft() => return,
        }
    }
}
