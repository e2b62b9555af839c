//! One pool of executions and what belongs to it.

use crate::executor::Shared;
use crate::slots::Slots;
use metrics::{Gauge, Histogram};
use scheduler_core::telemetry::metrics as names;
use std::sync::Arc;

/// A lane that this process serves.
pub(crate) struct Lane {
    /// Its name.
    pub name: String,
    /// Its places.
    pub slots: Slots,
    /// What it shares with the other lanes.
    pub shared: Arc<Shared>,
    /// Its numbers.
    pub meter: Meter,
}

/// The numbers of a lane, looked up once.
#[derive(Clone)]
pub(crate) struct Meter {
    /// From due to start.
    pub start_delay: Histogram,
    running: Gauge,
}

/// One execution in the gauge; leaves it when dropped.
pub(crate) struct Counted(Gauge);

impl Meter {
    /// The numbers of the lane with this name.
    pub fn of(lane: &str) -> Self {
        Self {
            start_delay: metrics::histogram!(names::JOB_START_DELAY_SECONDS, "lane" => lane.to_owned()),
            running: metrics::gauge!(names::EXECUTIONS_RUNNING, "lane" => lane.to_owned()),
        }
    }

    /// Counts an execution as running until the answer is dropped.
    pub fn running(&self) -> Counted {
        self.running.increment(1.0);
        Counted(self.running.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}
