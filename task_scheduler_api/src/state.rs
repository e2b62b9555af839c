//! What every handler can reach.

use crate::hints::Hints;
use crate::ingest::Ingest;
use crate::key_cache::KeyCache;
use crate::lanes::Lanes;
use scheduler_core::clock::Clock;
use scheduler_core::config::Settings;
use scheduler_core::store::Store;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Shared by all requests.
pub type AppState = Arc<App>;

/// The parts that handlers work with.
pub struct App {
    /// Set once the database was reached and has the right schema; until then callers hear 503.
    pub started: Arc<AtomicBool>,
    /// PostgreSQL.
    pub store: Store,
    /// Single creates, gathered into groups.
    pub ingest: Ingest,
    /// Wake-ups for the other services, best effort.
    pub hints: Hints,
    /// The database's time.
    pub clock: Clock,
    /// API keys looked up lately.
    pub keys: Arc<KeyCache>,
    /// Which lane each queue is on.
    pub lanes: Lanes,
    /// The settings.
    pub settings: Arc<Settings>,
}
