//! Escalates incidents that nobody looks after, and closes those that have become quiet.

use scheduler_core::config::Settings;
use scheduler_core::reconcile::{Progress, Reconcile, Wake};
use scheduler_core::store::{Store, StoreError};
use scheduler_core::telemetry::metrics as names;
use std::time::Duration;

/// What the duty needs to know.
#[derive(Clone, Copy, Debug)]
pub struct IncidentsConfig {
    /// Time without an acknowledgement, and between two escalations. Zero: there are none.
    pub escalate_after: Duration,
    /// Escalations of one incident.
    pub escalations_max: u32,
    /// Time without anything new after which an incident is over.
    pub quiet: Duration,
    /// Incidents in one step.
    pub batch: usize,
}

impl IncidentsConfig {
    /// As the settings say.
    pub fn of(settings: &Settings) -> Self {
        let watcher = &settings.watcher;
        Self {
            escalate_after: watcher.escalate_after,
            escalations_max: watcher.escalations_max,
            quiet: watcher.incident_quiet,
            batch: watcher.batch,
        }
    }
}

/// Looks at the open incidents. What is due stands in their rows, so nothing is forgotten in a restart.
pub struct Incidents {
    store: Store,
    config: IncidentsConfig,
    /// Of the duty that delivers.
    alerts: Wake,
}

impl Incidents {
    /// The duty; `alerts` is woken when there is something to tell.
    pub fn new(store: Store, config: IncidentsConfig, alerts: Wake) -> Self {
        metrics::counter!(names::INCIDENTS_ESCALATED_TOTAL).increment(0);
        Self { store, config, alerts }
    }

    async fn escalate(&self) -> Result<u64, StoreError> {
        let IncidentsConfig { escalate_after, escalations_max, batch, .. } = self.config;
        if escalate_after.is_zero() || escalations_max == 0 {
            return Ok(0);
        }
        let escalated = self.store.escalate_incidents(escalate_after, escalations_max, batch).await?;
        if escalated > 0 {
            metrics::counter!(names::INCIDENTS_ESCALATED_TOTAL).increment(escalated);
            tracing::warn!(incidents = escalated, "incidents that nobody has acknowledged escalate");
        }
        Ok(escalated)
    }
}

impl Reconcile for Incidents {
    const NAME: &'static str = "incidents";
    type Error = StoreError;

    async fn tick(&mut self) -> Result<Progress, StoreError> {
        let escalated = self.escalate().await?;
        let closed = self.store.close_quiet_incidents(self.config.quiet, self.config.batch).await?;
        if escalated + closed > 0 {
            self.alerts.wake();
        }
        Ok(Progress::of_batch(usize::try_from(escalated.max(closed)).unwrap_or(usize::MAX), self.config.batch))
    }
}
