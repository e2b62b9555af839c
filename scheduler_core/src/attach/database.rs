//! Waiting for a database that can be worked with, and saying in the health report how it stands.

use crate::clock::Clock;
use crate::health::Health;
use crate::lifecycle::Shutdown;
use crate::store::{Store, StoreError, StoreResult};
use std::time::Duration;

/// Name of the database in the health report.
pub const DATABASE: &str = "postgresql";

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Readings before work begins: the best of them counts.
const FIRST_READINGS: usize = 3;

/// The clock of the database, once that can be reached and has the schema; `None` when the shutdown comes first.
pub async fn database_clock(store: &Store, health: &Health, shutdown: &Shutdown) -> Option<Clock> {
    let clock = unmeasured_clock();
    until_it_works(health, shutdown, || first_readings(store, &clock)).await.then_some(clock)
}

/// Waits until the database can be reached and has the schema, for who needs no clock; `false` when the shutdown comes
/// first.
pub async fn database_ready(store: &Store, health: &Health, shutdown: &Shutdown) -> bool {
    until_it_works(health, shutdown, || store.require_schema()).await
}

/// A clock that no reading has touched yet, so wrong that the first one replaces it.
pub fn unmeasured_clock() -> Clock {
    Clock::database(Clock::local().now(), Duration::from_secs(3600))
}

/// Makes sure of the schema, then sets `clock` by a few readings.
///
/// # Errors
/// When the database does not answer, or its schema is too old.
pub async fn first_readings(store: &Store, clock: &Clock) -> StoreResult<()> {
    store.require_schema().await?;
    for _ in 0..FIRST_READINGS {
        let reading = store.read_clock().await?;
        clock.observe(reading.database, reading.sent, reading.received);
    }
    Ok(())
}

/// Says in the health report what an outcome shows about the database.
pub fn show_database<T>(health: &Health, outcome: &StoreResult<T>) {
    match outcome {
        Ok(_) => health.healthy(DATABASE),
        Err(error) => health.unhealthy(DATABASE, explain(error)),
    }
}

/// Why the database does not work, in a sentence fit for whoever can reach the admin port.
fn explain(error: &StoreError) -> String {
    match error {
        StoreError::SchemaTooOld { .. } => error.to_string(),
        _ if error.is_unavailable() => "does not answer".to_owned(),
        _ => "refuses what it is asked; see the log".to_owned(),
    }
}

async fn until_it_works<F>(health: &Health, shutdown: &Shutdown, attempt: impl Fn() -> F) -> bool
where
    F: Future<Output = StoreResult<()>>,
{
    let (mut pause, mut logged) = (FIRST_PAUSE, None);
    loop {
        let outcome = attempt().await;
        show_database(health, &outcome);
        let Err(error) = outcome else {
            return true;
        };
        // Once for each reason: who starts before the database fills no log.
        let why = explain(&error);
        if logged.as_ref() != Some(&why) {
            let error = anyhow::Error::from(error);
            tracing::warn!(error = format!("{error:#}"), "the database cannot be used yet; trying again");
            logged = Some(why);
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
            () = shutdown.soft() => return false,
        }
    }
}
