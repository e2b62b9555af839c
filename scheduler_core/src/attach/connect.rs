//! Connections as the settings describe them.

use crate::config::{DatabaseSettings, RedisSettings};
use crate::queue::{QueueError, Redis};
use crate::store::{Store, StoreOptions, StoreResult, StoreRole};
use std::time::Duration;

/// A pool for one kind of work of the daemon `name`; it connects when first used.
///
/// # Errors
/// When `database.url` cannot be read.
pub fn pool(settings: &DatabaseSettings, name: &str, role: StoreRole, connections: u32) -> StoreResult<Store> {
    hasty_pool(settings, name, role, connections, settings.statement_timeout)
}

/// The same for work that is worth nothing when it comes late: no statement may take longer than `patience`, or than
/// the settings say if that is less.
///
/// # Errors
/// When `database.url` cannot be read.
pub fn hasty_pool(
    settings: &DatabaseSettings,
    name: &str,
    role: StoreRole,
    connections: u32,
    patience: Duration,
) -> StoreResult<Store> {
    let mut options = StoreOptions::new(settings.url.expose(), role, connections, name);
    options.statement_timeout = settings.statement_timeout.min(patience);
    options.acquire_timeout = settings.acquire_timeout.min(patience);
    Store::connect_lazy(&options)
}

/// The connection to Redis. A server that cannot be reached is no error: commands fail until it is back.
///
/// # Errors
/// When `redis.url` cannot be used.
pub async fn redis(settings: &RedisSettings) -> Result<Redis, QueueError> {
    Redis::connect_with(settings.url.expose(), &settings.prefix, settings.command_timeout).await
}
