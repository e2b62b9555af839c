//! Keeps the process's idea of the database's time.

use scheduler_core::clock::Clock;
use scheduler_core::health::Health;
use scheduler_core::lifecycle::Shutdown;
use scheduler_core::store::Store;
use scheduler_core::telemetry::metrics as names;
use std::time::Duration;

/// How often the database is asked for the time.
const EVERY: Duration = Duration::from_secs(5);
/// Pause between attempts while it does not answer.
const RETRY: Duration = Duration::from_millis(500);

/// Waits for the database and reads its clock; `None` when the shutdown comes first.
pub(crate) async fn first_reading(store: &Store, health: &Health, shutdown: &Shutdown) -> Option<Clock> {
    let mut complained = false;
    while !shutdown.is_soft() {
        match store.read_clock().await {
            Ok(reading) => {
                health.healthy("database");
                let error = reading.received.duration_since(reading.sent) / 2;
                return Some(Clock::database(reading.database + error, error));
            }
            Err(error) => {
                health.unhealthy("database", "no connection yet");
                if !complained {
                    tracing::warn!(error = %anyhow::Error::from(error), "waiting for the database");
                    complained = true;
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(RETRY) => {}
            () = shutdown.soft() => {}
        }
    }
    None
}

/// Reads the clock every few seconds. Never ends; is dropped with the executor.
pub(crate) async fn keep(store: Store, clock: Clock, health: Health) {
    loop {
        tokio::time::sleep(EVERY).await;
        match store.read_clock().await {
            Ok(reading) => {
                clock.observe(reading.database, reading.sent, reading.received);
                metrics::gauge!(names::CLOCK_ERROR_SECONDS).set(clock.error().as_secs_f64());
                health.healthy("database");
            }
            Err(error) => {
                tracing::debug!(?error, "the database did not say the time");
                health.unhealthy("database", "does not answer");
            }
        }
    }
}
