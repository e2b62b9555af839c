//! Whether Redis answers, so that nobody waits for it while it does not.

use crate::health::Health;
use crate::queue::Redis;
use crate::telemetry::metrics as names;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How often Redis is asked.
const EVERY: Duration = Duration::from_millis(500);
/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(1);

/// So many questions in a row without an answer, and the connection is given up for another.
const SILENT_TOO_OFTEN: u32 = 3;

/// Least time between two lines in the log: a Redis that comes and goes twice a second is told of now and then.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Name of Redis in the health report.
pub const REDIS: &str = "redis";

/// Whether Redis answers, asked twice a second. Cheap to clone; clones share what they know.
#[derive(Clone)]
pub struct RedisWatch {
    redis: Redis,
    without: &'static str,
    up: Arc<watch::Sender<bool>>,
    told: Arc<Mutex<Told>>,
}

/// What the log says.
#[derive(Default)]
struct Told {
    up: bool,
    at: Option<Instant>,
}

impl Told {
    /// Whether it is time to say that it is `up` now.
    fn tells(&mut self, up: bool, now: Instant) -> bool {
        let damped = self.at.is_some_and(|at| now.saturating_duration_since(at) < TELL_EVERY);
        if self.up == up || damped {
            return false;
        }
        *self = Self { up, at: Some(now) };
        true
    }
}

impl RedisWatch {
    /// Starts out believing that it does not; the first answer comes in a moment. `without` says in a few words how
    /// work goes on without Redis, for the log and the health report.
    pub fn new(redis: Redis, without: &'static str) -> Self {
        Self { redis, without, up: Arc::new(watch::Sender::new(false)), told: Arc::default() }
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
        if changed && !now {
            metrics::counter!(names::REDIS_DISCONNECTS_TOTAL).increment(1);
        }
        match (self.told.lock().tells(now, Instant::now()), now) {
            (true, false) => tracing::warn!(meanwhile = self.without, "Redis does not answer"),
            (true, true) => tracing::info!("Redis answers"),
            (false, _) => {}
        }
    }

    /// Asks for ever, and says in the health report what it hears. Ends by being dropped.
    pub async fn run(self, health: Health) {
        let mut silent = 0_u32;
        loop {
            let answered = tokio::time::timeout(PATIENCE, self.redis.ping()).await;
            let up = matches!(answered, Ok(Ok(())));
            self.set(up);
            silent = if up { 0 } else { silent + 1 };
            if silent.is_multiple_of(SILENT_TOO_OFTEN) && silent > 0 {
                self.redis.reconnect().await;
            }
            match up {
                true => health.healthy(REDIS),
                false => health.unhealthy(REDIS, format!("does not answer; {}", self.without)),
            }
            tokio::time::sleep(EVERY).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_hears_of_a_change_at_once_and_of_the_last_of_many_in_a_moment() {
        let (mut told, start) = (Told::default(), Instant::now());
        let after = |millis| start + Duration::from_millis(millis);
        assert!(!told.tells(false, start), "nobody has said that it answers");
        assert!(told.tells(true, start));
        assert!(!told.tells(false, after(500)) && !told.tells(true, after(1_000)) && !told.tells(false, after(1_500)));
        assert!(told.tells(false, start + TELL_EVERY));
        assert!(!told.tells(false, start + 3 * TELL_EVERY));
        assert!(told.tells(true, start + 3 * TELL_EVERY), "long quiet, so at once");
    }
}
