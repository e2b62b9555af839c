//! Waiting for a database that can be worked with.

use scheduler_core::clock::Clock;
use scheduler_core::health::Health;
use scheduler_core::lifecycle::Shutdown;
use scheduler_core::store::{Store, StoreError, StoreResult};
use std::time::Duration;

/// Name of the component in the health report.
pub(crate) const DATABASE: &str = "postgresql";

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The clock of the database, once that can be reached and has the schema; `None` when the shutdown comes first.
pub(crate) async fn first_reading(store: &Store, health: &Health, shutdown: &Shutdown) -> Option<Clock> {
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match read(store).await {
            Ok(clock) => {
                health.healthy(DATABASE);
                return Some(clock);
            }
            Err(error) => error,
        };
        health.unhealthy(DATABASE, explain(&error));
        let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        tracing::warn!(%error, cause, "the database cannot be used yet; trying again");
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
            () = shutdown.soft() => return None,
        }
    }
}

async fn read(store: &Store) -> StoreResult<Clock> {
    store.require_schema().await?;
    let reading = store.read_clock().await?;
    let clock = Clock::database(reading.database, reading.received.duration_since(reading.sent));
    clock.observe(reading.database, reading.sent, reading.received);
    Ok(clock)
}

/// Why the database does not work, in a sentence fit for whoever can reach the admin port.
pub(crate) fn explain(error: &StoreError) -> String {
    match error {
        StoreError::SchemaTooOld { .. } => error.to_string(),
        _ if error.is_unavailable() => "does not answer".to_owned(),
        _ => "refuses what it is asked; see the log".to_owned(),
    }
}
