//! Whether Redis takes what a lane pushes. A Redis that answers questions may refuse writes (no memory left, a replica, a
//! disk that is full), which nobody else notices. Told once per streak, in the log and in the health report.

use parking_lot::Mutex;
use scheduler_core::health::Health;
use scheduler_core::queue::QueueError;
use std::time::{Duration, Instant};

/// So many failures in a row, over so long a time, are no accident.
const FAILURES: u32 = 3;
const LASTING: Duration = Duration::from_secs(1);
/// Letters of the server's words that are shown.
const WORDS: usize = 120;

/// The pushes of a lane that failed in a row.
pub struct Refusals {
    lane: String,
    /// Its name in the health report.
    component: String,
    health: Health,
    streak: Mutex<Option<Streak>>,
}

#[derive(Clone, Copy)]
struct Streak {
    since: Instant,
    failures: u32,
    told: bool,
}

impl Refusals {
    /// None so far.
    pub fn new(lane: &str, health: Health) -> Self {
        Self { lane: lane.to_owned(), component: format!("pushes {lane}"), health, streak: Mutex::default() }
    }

    /// A push failed. A lost connection does not count: others tell of that.
    pub fn failed(&self, error: &QueueError, now: Instant) {
        if matches!(error, QueueError::NotConnected(_)) {
            return;
        }
        let mut streak = self.streak.lock();
        let streak = streak.get_or_insert(Streak { since: now, failures: 0, told: false });
        streak.failures = streak.failures.saturating_add(1);
        let lasts = streak.failures >= FAILURES && now.saturating_duration_since(streak.since) >= LASTING;
        if lasts && !std::mem::replace(&mut streak.told, true) {
            let why = format!("{}; {}", sentence(error), crate::WITHOUT_REDIS);
            tracing::warn!(lane = self.lane, "{why}");
            self.health.unhealthy(&self.component, why);
        }
    }

    /// Whether the last push failed, so that only a write can tell whether the next would.
    pub fn under_way(&self) -> bool {
        self.streak.lock().is_some()
    }

    /// Redis took something, or the lane is no longer ours: the streak is over.
    pub fn over(&self) {
        if self.streak.lock().take().is_some_and(|streak| streak.told) {
            tracing::info!(lane = self.lane, "Redis takes pushes again");
            self.health.healthy(&self.component);
        }
    }
}

/// What is wrong, fit for strangers: the server's words up to the first full stop, without control characters.
fn sentence(error: &QueueError) -> String {
    match error.refusal() {
        Some(said) => {
            let words = said.split(". ").next().unwrap_or_default().trim_end_matches('.');
            let words: String = words.chars().filter(|letter| !letter.is_control()).take(WORDS).collect();
            format!("Redis refuses pushes: {words}")
        }
        None => "Redis does not answer pushes".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn reason(health: &Health) -> Option<String> {
        health.report().components.into_iter().find(|component| !component.ok)?.reason
    }

    #[test]
    fn only_a_streak_that_lasts_is_told_and_a_success_ends_it() {
        let (health, start) = (Health::new("test"), Instant::now());
        let refusals = Refusals::new("default", health.clone());
        let error = QueueError::Answer("push");
        for _ in 0..5 {
            refusals.failed(&error, start);
        }
        assert!(health.is_ready() && refusals.under_way(), "many at once are one accident");
        refusals.failed(&error, start + SECOND);
        let why = reason(&health);
        assert_eq!(why.as_deref(), Some("Redis does not answer pushes; executors claim from PostgreSQL, slower"));
        refusals.over();
        assert!(health.is_ready() && !refusals.under_way());
        refusals.failed(&error, start + SECOND * 2);
        refusals.failed(&error, start + SECOND * 4);
        assert!(health.is_ready(), "two only");
    }

    #[test]
    fn a_lost_connection_is_told_elsewhere() {
        let (health, start) = (Health::new("test"), Instant::now());
        let refusals = Refusals::new("default", health.clone());
        for second in 0..10 {
            refusals.failed(&QueueError::NotConnected("push"), start + SECOND * second);
        }
        assert!(health.is_ready() && !refusals.under_way());
    }
}
