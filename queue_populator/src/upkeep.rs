//! What a populator needs around its lanes: the database's clock, and an eye on Redis.

use metrics::{counter, gauge};
use scheduler_core::clock::Clock;
use scheduler_core::health::Health;
use scheduler_core::lifecycle::Shutdown;
use scheduler_core::queue::Redis;
use scheduler_core::reconcile::{Progress, Reconcile};
use scheduler_core::store::{Store, StoreError, StoreResult};
use scheduler_core::telemetry::metrics as names;
use std::time::Duration;

/// How often the database is asked for the time.
pub const CLOCK_PERIOD: Duration = Duration::from_secs(5);
const REDIS_PERIOD: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

const DATABASE: &str = "postgresql";
const REDIS: &str = "redis";

/// The database's clock, once the database can be reached and has the schema; `None` when the shutdown comes first.
pub async fn first_reading(store: &Store, health: &Health, shutdown: &Shutdown) -> Option<Clock> {
    let mut pause = FIRST_PAUSE;
    let mut complained = false;
    loop {
        let error = match read(store).await {
            Ok(clock) => {
                health.healthy(DATABASE);
                return Some(clock);
            }
            Err(error) => error,
        };
        health.unhealthy(DATABASE, explain(&error));
        if !std::mem::replace(&mut complained, true) {
            let error = anyhow::Error::from(error);
            tracing::warn!(error = format!("{error:#}"), "the database cannot be used yet; trying again");
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
            () = shutdown.soft() => return None,
        }
    }
}

async fn read(store: &Store) -> StoreResult<Clock> {
    store.require_schema().await?;
    let reading = store.read_clock().await?;
    // Somewhere in the round trip the clock said so: late by half of it at most, counted from its middle.
    let half = reading.received.duration_since(reading.sent) / 2;
    Ok(Clock::database(reading.database + half, half))
}

/// Why the database does not work, in a sentence fit for whoever can reach the admin port.
fn explain(error: &StoreError) -> String {
    match error {
        StoreError::SchemaTooOld { .. } => error.to_string(),
        _ if error.is_unavailable() => "does not answer".to_owned(),
        _ => "refuses what it is asked; see the log".to_owned(),
    }
}

/// Keeps the process's clock in step with the database's.
pub struct ClockStep {
    /// Whose clock.
    pub store: Store,
    /// Ours.
    pub clock: Clock,
    /// Where it is said that the database answers.
    pub health: Health,
}

impl Reconcile for ClockStep {
    const NAME: &'static str = "clock";
    type Error = StoreError;

    async fn tick(&mut self) -> Result<Progress, StoreError> {
        let reading = match self.store.read_clock().await {
            Ok(reading) => reading,
            Err(error) => {
                self.health.unhealthy(DATABASE, explain(&error));
                return Err(error);
            }
        };
        self.health.healthy(DATABASE);
        self.clock.observe(reading.database, reading.sent, reading.received);
        gauge!(names::CLOCK_ERROR_SECONDS).set(self.clock.error().as_secs_f64());
        Ok(Progress::Idle)
    }
}

/// Says in the health report whether Redis answers.
pub async fn watch_redis(redis: Redis, health: Health, shutdown: Shutdown) {
    let mut was_up = true;
    while !shutdown.is_soft() {
        let up = redis.ping().await.is_ok();
        match up {
            true => health.healthy(REDIS),
            false => health.unhealthy(REDIS, "does not answer; executors claim from PostgreSQL, slower"),
        }
        match (was_up, up) {
            (true, false) => {
                counter!(names::REDIS_DISCONNECTS_TOTAL).increment(1);
                tracing::warn!("Redis does not answer; nothing is pushed until it is back");
            }
            (false, true) => tracing::info!("Redis answers again"),
            _ => {}
        }
        was_up = up;
        tokio::select! {
            () = tokio::time::sleep(REDIS_PERIOD) => {}
            () = shutdown.soft() => {}
        }
    }
}
