//! Lets requests in once the database can be worked with, and keeps the process's clock in step with it.

use scheduler_core::attach::{ClockStep, first_readings, show_database};
use scheduler_core::clock::Clock;
use scheduler_core::health::Health;
use scheduler_core::reconcile::{Progress, Reconcile};
use scheduler_core::store::{Store, StoreError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Reads the database clock every few seconds. The first success lets requests in.
pub struct ClockSync {
    store: Store,
    clock: Clock,
    health: Health,
    started: Arc<AtomicBool>,
    step: ClockStep,
}

impl ClockSync {
    /// Corrects `clock` by readings over `store`, and sets `started` once the schema was found right and the clock
    /// was read.
    pub fn new(store: Store, clock: Clock, health: Health, started: Arc<AtomicBool>) -> Self {
        let step = ClockStep::new(store.clone(), clock.clone(), health.clone());
        Self { store, clock, health, started, step }
    }
}

impl Reconcile for ClockSync {
    const NAME: &'static str = "clock";
    type Error = StoreError;

    async fn tick(&mut self) -> Result<Progress, StoreError> {
        if !self.started.load(Ordering::Acquire) {
            let outcome = first_readings(&self.store, &self.clock).await;
            if outcome.is_err() {
                show_database(&self.health, &outcome);
            }
            outcome?;
            // Before the health report says that all is well: who reads that is let in.
            self.started.store(true, Ordering::Release);
        }
        self.step.tick().await
    }
}
