//! Whether Redis answers, so that nobody waits for it while it does not.

use scheduler_core::health::Health;
use scheduler_core::queue::Redis;
use scheduler_core::telemetry::metrics as names;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often Redis is asked.
const EVERY: Duration = Duration::from_millis(500);
/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(1);

/// Whether Redis answers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct RedisWatch {
    redis: Redis,
    up: Arc<watch::Sender<bool>>,
}

impl RedisWatch {
    /// Starts out believing that it does not; the first answer comes in a moment.
    pub fn new(redis: Redis) -> Self {
        Self { redis, up: Arc::new(watch::Sender::new(false)) }
    }

    /// The connection.
    pub fn redis(&self) -> &Redis {
        &self.redis
    }

    /// Whether it did when last asked.
    pub fn is_up(&self) -> bool {
        *self.up.borrow()
    }

    /// A command has failed: believe that it is down until it answers again.
    pub fn mark_down(&self) {
        self.set(false);
    }

    /// Waits until it is down.
    pub async fn down(&self) {
        self.becomes(false).await;
    }

    /// Waits until it is up.
    pub async fn up(&self) {
        self.becomes(true).await;
    }

    async fn becomes(&self, wanted: bool) {
        // The sender lives in `self`, so the wait cannot fail.
        let _ = self.up.subscribe().wait_for(|up| *up == wanted).await;
    }

    fn set(&self, now: bool) {
        let changed = self.up.send_if_modified(|up| std::mem::replace(up, now) != now);
        match (changed, now) {
            (true, false) => {
                metrics::counter!(names::REDIS_DISCONNECTS_TOTAL).increment(1);
                tracing::warn!("Redis does not answer: claiming straight from PostgreSQL");
            }
            (true, true) => tracing::info!("Redis answers"),
            (false, _) => {}
        }
    }

    /// Asks for ever; is dropped with the executor.
    pub async fn run(self, health: Health) {
        loop {
            let answered = tokio::time::timeout(PATIENCE, self.redis.ping()).await;
            let up = matches!(answered, Ok(Ok(())));
            self.set(up);
            match up {
                true => health.healthy("redis"),
                false => health.unhealthy("redis", "does not answer; jobs are claimed from PostgreSQL, slower"),
            }
            tokio::time::sleep(EVERY).await;
        }
    }
}
