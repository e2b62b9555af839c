//! Keeps the process's clock in step with the database's.

use metrics::gauge;
use scheduler_core::clock::Clock;
use scheduler_core::reconcile::{Progress, Reconcile};
use scheduler_core::store::{Store, StoreError};
use scheduler_core::telemetry::metrics as names;
use std::time::Duration;

/// How often to measure. The planning horizon is a minute away, so milliseconds of drift do not matter here.
pub(crate) const PERIOD: Duration = Duration::from_secs(5);

/// Measures the database's clock.
pub(crate) struct ClockStep {
    store: Store,
    clock: Clock,
}

impl ClockStep {
    pub(crate) fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock }
    }
}

impl Reconcile for ClockStep {
    const NAME: &'static str = "clock";
    type Error = StoreError;

    async fn tick(&mut self) -> Result<Progress, StoreError> {
        let reading = self.store.read_clock().await?;
        self.clock.observe(reading.database, reading.sent, reading.received);
        gauge!(names::CLOCK_ERROR_SECONDS).set(self.clock.error().as_secs_f64());
        Ok(Progress::Idle)
    }
}
