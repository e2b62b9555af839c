//! Keeps the process's clock in step with the database's, and notices when the database is away.

use anyhow::Context as _;
use scheduler_core::clock::Clock;
use scheduler_core::health::Health;
use scheduler_core::reconcile::{Progress, Reconcile};
use scheduler_core::store::Store;
use scheduler_core::telemetry::metrics as names;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Readings before requests are let in: the best of them counts.
const FIRST_READINGS: usize = 3;

/// A clock that no reading has touched yet, so wrong that the first one replaces it.
pub fn unmeasured() -> Clock {
    Clock::database(Clock::local().now(), Duration::from_secs(3600))
}

/// Reads the database clock every few seconds. The first success lets requests in.
pub struct ClockSync {
    /// Where the time comes from.
    pub store: Store,
    /// What is corrected.
    pub clock: Clock,
    /// Where an unreachable database is shown.
    pub health: Health,
    /// Set once the schema was found right and the clock was read.
    pub started: Arc<AtomicBool>,
}

impl ClockSync {
    async fn step(&self) -> anyhow::Result<()> {
        if !self.started.load(Ordering::Acquire) {
            self.store.require_schema().await.context("checking the schema")?;
            for _ in 1..FIRST_READINGS {
                self.read().await?;
            }
        }
        self.read().await?;
        self.started.store(true, Ordering::Release);
        Ok(())
    }

    async fn read(&self) -> anyhow::Result<()> {
        let reading = self.store.read_clock().await.context("reading the database clock")?;
        self.clock.observe(reading.database, reading.sent, reading.received);
        Ok(())
    }

    fn measure(&self) {
        let (size, idle) = self.store.pool_size();
        metrics::gauge!(names::DB_POOL_CONNECTIONS, "state" => "idle").set(idle as f64);
        metrics::gauge!(names::DB_POOL_CONNECTIONS, "state" => "used").set(f64::from(size) - idle as f64);
        metrics::gauge!(names::CLOCK_ERROR_SECONDS).set(self.clock.error().as_secs_f64());
    }
}

impl Reconcile for ClockSync {
    const NAME: &'static str = "clock_sync";
    type Error = anyhow::Error;

    async fn tick(&mut self) -> anyhow::Result<Progress> {
        let stepped = self.step().await;
        self.measure();
        match stepped {
            Ok(()) => self.health.healthy("postgresql"),
            Err(_) => self.health.unhealthy("postgresql", "does not answer, or its schema is too old"),
        }
        stepped.map(|()| Progress::Idle)
    }
}
