//! The duty that keeps a process's clock in step with the database's.

use super::database::show_database;
use crate::clock::Clock;
use crate::health::Health;
use crate::reconcile::{Progress, Reconcile};
use crate::store::{Store, StoreError};
use crate::telemetry::metrics as names;
use metrics::gauge;
use std::time::Duration;

/// How often the database's clock is read.
pub const CLOCK_PERIOD: Duration = Duration::from_secs(5);

/// Reads the database's clock, and says in the health report whether that answers. Run it every [`CLOCK_PERIOD`].
pub struct ClockStep {
    store: Store,
    clock: Clock,
    health: Health,
    pools: Vec<Store>,
}

impl ClockStep {
    /// Corrects `clock` by readings over `store`.
    pub fn new(store: Store, clock: Clock, health: Health) -> Self {
        Self { pools: vec![store.clone()], store, clock, health }
    }

    /// Shows these pools in the metrics, added up, instead of the one that it reads over.
    pub fn showing(self, pools: impl IntoIterator<Item = Store>) -> Self {
        Self { pools: pools.into_iter().collect(), ..self }
    }

    fn measure(&self) {
        let (mut size, mut idle) = (0.0, 0.0);
        for pool in &self.pools {
            let (open, unused) = pool.pool_size();
            size += f64::from(open);
            idle += unused as f64;
        }
        gauge!(names::DB_POOL_CONNECTIONS, "state" => "idle").set(idle);
        gauge!(names::DB_POOL_CONNECTIONS, "state" => "used").set(size - idle);
        gauge!(names::CLOCK_ERROR_SECONDS).set(self.clock.error().as_secs_f64());
    }
}

impl Reconcile for ClockStep {
    const NAME: &'static str = "clock";
    type Error = StoreError;

    async fn tick(&mut self) -> Result<Progress, StoreError> {
        let reading = self.store.read_clock().await;
        show_database(&self.health, &reading);
        if let Ok(reading) = &reading {
            self.clock.observe(reading.database, reading.sent, reading.received);
        }
        self.measure();
        reading.map(|_| Progress::Idle)
    }
}
