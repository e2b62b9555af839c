//! The connections to PostgreSQL.

use scheduler_core::attach;
use scheduler_core::config::Settings;
use scheduler_core::store::{Store, StoreResult, StoreRole};

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
        let pool = |role, connections| attach::pool(&settings.database, "task_failure_watcher", role, connections);
        Ok(Self { sweeps: pool(StoreRole::Durable, (most - edges).max(1))?, edges: pool(StoreRole::Results, edges)? })
    }

    /// Closes the connections.
    pub(crate) async fn close(&self) {
        self.edges.close().await;
        self.sweeps.close().await;
    }
}
