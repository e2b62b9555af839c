//! Connections, and waiting for a database that can be worked with.

use scheduler_core::config::Settings;
use scheduler_core::health::Health;
use scheduler_core::lifecycle::Shutdown;
use scheduler_core::store::{Store, StoreError, StoreOptions, StoreResult, StoreRole};
use std::time::Duration;

/// Name of the component in the health report.
pub(crate) const DATABASE: &str = "postgresql";

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The two pools of a watcher.
#[derive(Clone, Debug)]
pub struct Stores {
    /// Reads whole sets of rows: what is lost, failed, overdue, old.
    pub sweeps: Store,
    /// Writes batches of rows by key: the edges.
    pub edges: Store,
}

impl Stores {
    /// Pools that connect when first used. The edges get a third of the connections, but at least one.
    ///
    /// # Errors
    /// When the URL cannot be read.
    pub fn connect(settings: &Settings) -> StoreResult<Self> {
        let most = settings.database.max_connections.min(9);
        let edges = (most / 3).max(1);
        let pool = |role, connections| {
            let url = settings.database.url.expose();
            let mut options = StoreOptions::new(url, role, connections, "task_failure_watcher");
            options.statement_timeout = settings.database.statement_timeout;
            Store::connect_lazy(&options)
        };
        Ok(Self { sweeps: pool(StoreRole::Durable, (most - edges).max(1))?, edges: pool(StoreRole::Results, edges)? })
    }

    /// Closes the connections.
    pub(crate) async fn close(&self) {
        self.edges.close().await;
        self.sweeps.close().await;
    }
}

/// Waits until the database can be reached and has the schema; `false` when the shutdown comes first.
pub(crate) async fn database(store: &Store, health: &Health, shutdown: &Shutdown) -> bool {
    let mut pause = FIRST_PAUSE;
    loop {
        let Err(error) = store.require_schema().await else {
            health.healthy(DATABASE);
            return true;
        };
        health.unhealthy(DATABASE, explain(&error));
        let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        tracing::warn!(%error, cause, "the database cannot be used yet; trying again");
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
            () = shutdown.soft() => return false,
        }
    }
}

/// Why the database does not work, in a sentence fit for whoever can reach the admin port.
pub(crate) fn explain(error: &StoreError) -> String {
    match error {
        StoreError::SchemaTooOld { .. } => error.to_string(),
        _ if error.is_unavailable() => "does not answer".to_owned(),
        _ => "refuses what it is asked; see the log".to_owned(),
    }
}
