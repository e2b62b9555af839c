//! Whether Redis answers, so that nobody waits for it while it does not.

use crate::health::Health;
use crate::queue::Redis;
use crate::telemetry::metrics as names;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often Redis is asked.
const EVERY: Duration = Duration::from_millis(500);
/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(1);

/// Name of Redis in the health report.
pub const REDIS: &str = "redis";

/// Whether Redis answers, asked twice a second. Cheap to clone; clones share what they know.
#[derive(Clone)]
pub struct RedisWatch {
    redis: Redis,
    without: &'static str,
    up: Arc<watch::Sender<bool>>,
}

impl RedisWatch {
    /// Starts out believing that it does not; the first answer comes in a moment. `without` says in a few words how
    /// work goes on without Redis, for the log and the health report.
    pub fn new(redis: Redis, without: &'static str) -> Self {
        Self { redis, without, up: Arc::new(watch::Sender::new(false)) }
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
                tracing::warn!(meanwhile = self.without, "Redis does not answer");
            }
            (true, true) => tracing::info!("Redis answers"),
            (false, _) => {}
        }
    }

    /// Asks for ever, and says in the health report what it hears. Ends by being dropped.
    pub async fn run(self, health: Health) {
        loop {
            let answered = tokio::time::timeout(PATIENCE, self.redis.ping()).await;
            let up = matches!(answered, Ok(Ok(())));
            self.set(up);
            match up {
                true => health.healthy(REDIS),
                false => health.unhealthy(REDIS, format!("does not answer; {}", self.without)),
            }
            tokio::time::sleep(EVERY).await;
        }
    }
}
