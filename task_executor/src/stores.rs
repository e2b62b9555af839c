//! The connections to PostgreSQL, one pool per kind of work so that none waits for another.

use scheduler_core::attach;
use scheduler_core::config::Settings;
use scheduler_core::store::{Store, StoreResult, StoreRole};

/// Shown in `pg_stat_activity`.
const NAME: &str = "task_executor";

/// The pools of one executor.
#[derive(Clone)]
pub(crate) struct Stores {
    /// Claims and candidates for claims.
    pub claims: Store,
    /// Results and hand-backs.
    pub results: Store,
    /// Session renewals. Alone, because a renewal that waits for a connection is a session that dies.
    pub session: Store,
    /// The clock, cancel requests.
    pub watch: Store,
}

impl Stores {
    /// Pools that connect when they are first used.
    pub fn open(settings: &Settings) -> StoreResult<Self> {
        let executor = &settings.executor;
        let flushers = u32::try_from(executor.result_flushers).unwrap_or(u32::MAX);
        let loops = u32::try_from(executor.claim_loops * executor.lanes.iter().len()).unwrap_or(u32::MAX);
        // One connection each for session and watch; results and claims share the rest.
        let rest = settings.database.max_connections.saturating_sub(2).max(2);
        let results = flushers.clamp(1, rest / 2);
        let claims = (loops + 1).clamp(1, rest - results);
        let database = &settings.database;
        let open = |role, connections| attach::pool(database, NAME, role, connections);
        let late = settings.session.lost / 2;
        Ok(Self {
            claims: open(StoreRole::Claims, claims)?,
            results: open(StoreRole::Results, results)?,
            session: attach::hasty_pool(database, NAME, StoreRole::Claims, 1, late)?,
            watch: open(StoreRole::Claims, 1)?,
        })
    }

    /// All of them.
    pub fn all(&self) -> [Store; 4] {
        [&self.claims, &self.results, &self.session, &self.watch].map(Store::clone)
    }

    /// Closes all of them.
    pub async fn close(&self) {
        tokio::join!(self.claims.close(), self.results.close(), self.session.close(), self.watch.close());
    }
}
