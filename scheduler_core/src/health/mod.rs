//! What a process knows about its own health, and the admin endpoints that show it.
//!
//! `/health/live` answers while the process serves at all. `/health/ready` answers 200 when
//! every component is fine, no loop has fallen silent and no shutdown has begun; 503 with the
//! reasons otherwise. `/metrics` is Prometheus text. Reasons and facts are shown to whoever can
//! reach the port, so they are short sentences of ours and never error chains, URLs or secrets.

mod admin;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use tokio::time::Instant;

pub use admin::{AdminError, router, serve_admin, serve_admin_on};

/// The health registry of one process. Cheap to clone; clones share their state.
#[derive(Clone, Debug)]
pub struct Health {
    service: &'static str,
    state: Arc<Mutex<HealthState>>,
}

#[derive(Debug, Default)]
struct HealthState {
    components: BTreeMap<String, Option<String>>,
    loops: BTreeMap<u64, WatchedLoop>,
    next_loop: u64,
    facts: BTreeMap<String, String>,
    draining: bool,
}

#[derive(Debug)]
struct WatchedLoop {
    name: String,
    max_silence: Duration,
    last_progress: Instant,
}

impl Health {
    /// An empty registry, which is ready. `service` is shown in the answers.
    pub fn new(service: &'static str) -> Self {
        Self { service, state: Arc::default() }
    }

    /// Says that a component works (again). The first call adds the component.
    pub fn healthy(&self, name: &str) {
        self.state.lock().components.insert(name.to_owned(), None);
    }

    /// Says that a component does not work, and why in a short sentence fit for strangers.
    pub fn unhealthy(&self, name: &str, why: impl Into<String>) {
        self.state.lock().components.insert(name.to_owned(), Some(why.into()));
    }

    /// Notes a fact worth seeing next to the health, such as `synchronous_commit = on`.
    pub fn set_fact(&self, key: &str, value: impl Into<String>) {
        self.state.lock().facts.insert(key.to_owned(), value.into());
    }

    /// From now on the process is not ready: it finishes what it has and takes nothing new.
    pub fn draining(&self) {
        self.state.lock().draining = true;
    }

    /// Watches a loop: it is unhealthy when it makes no progress for `max_silence`. Several
    /// loops may have the same name. The silence is counted from now.
    pub fn register_loop(&self, name: &str, max_silence: Duration) -> LoopHealth {
        let mut state = self.state.lock();
        let id = state.next_loop;
        state.next_loop += 1;
        let watched = WatchedLoop { name: name.to_owned(), max_silence, last_progress: Instant::now() };
        state.loops.insert(id, watched);
        LoopHealth { id, state: Arc::clone(&self.state) }
    }

    /// Whether `/health/ready` would answer 200 now.
    pub fn is_ready(&self) -> bool {
        self.report().status == Status::Ready
    }

    /// Everything that `/health/ready` shows.
    pub fn report(&self) -> HealthReport {
        self.report_at(Instant::now())
    }

    fn report_at(&self, now: Instant) -> HealthReport {
        let state = self.state.lock();
        let components: Vec<_> = state.components.iter().map(ComponentReport::of).collect();
        let loops: Vec<_> = state.loops.values().map(|l| LoopReport::at(now, l)).collect();
        let fine = components.iter().all(|c| c.ok) && loops.iter().all(|l| l.ok);
        let status = match (state.draining, fine) {
            (true, _) => Status::Draining,
            (false, true) => Status::Ready,
            (false, false) => Status::NotReady,
        };
        HealthReport {
            status,
            service: self.service,
            version: env!("CARGO_PKG_VERSION"),
            components,
            loops,
            settings: state.facts.clone(),
        }
    }
}

/// A loop's end of the watchdog. Dropping it changes nothing: a loop that dies without
/// [`LoopHealth::finished`] falls silent and is noticed.
#[derive(Clone, Debug)]
pub struct LoopHealth {
    id: u64,
    state: Arc<Mutex<HealthState>>,
}

impl LoopHealth {
    /// Marks progress: the silence starts anew.
    pub fn progress(&self) {
        if let Some(watched) = self.state.lock().loops.get_mut(&self.id) {
            watched.last_progress = Instant::now();
        }
    }

    /// The loop has ended as it should; it is watched no more.
    pub fn finished(&self) {
        self.state.lock().loops.remove(&self.id);
    }
}

/// The answer of `/health/ready`.
#[derive(Debug, Clone, Serialize)]
pub struct HealthReport {
    /// Ready or not, in one word.
    pub status: Status,
    /// The daemon that answers.
    pub service: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Each component that the process depends on.
    pub components: Vec<ComponentReport>,
    /// Each loop that the process runs.
    pub loops: Vec<LoopReport>,
    /// Facts that matter for the safety of data.
    pub settings: BTreeMap<String, String>,
}

/// Readiness in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Everything is fine.
    Ready,
    /// A component or a loop is not.
    NotReady,
    /// A shutdown has begun.
    Draining,
}

/// One component in a [`HealthReport`].
#[derive(Debug, Clone, Serialize)]
pub struct ComponentReport {
    /// Its name.
    pub name: String,
    /// Whether it works.
    pub ok: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl ComponentReport {
    fn of((name, reason): (&String, &Option<String>)) -> Self {
        Self { name: name.clone(), ok: reason.is_none(), reason: reason.clone() }
    }
}

/// One loop in a [`HealthReport`].
#[derive(Debug, Clone, Serialize)]
pub struct LoopReport {
    /// Its name.
    pub name: String,
    /// Whether it has made progress lately.
    pub ok: bool,
    /// Seconds since its last progress.
    pub silent_seconds: f64,
    /// Seconds of silence after which it counts as stuck.
    pub max_silence_seconds: f64,
}

impl LoopReport {
    fn at(now: Instant, watched: &WatchedLoop) -> Self {
        let silent = now.saturating_duration_since(watched.last_progress);
        Self {
            name: watched.name.clone(),
            ok: silent <= watched.max_silence,
            silent_seconds: silent.as_secs_f64(),
            max_silence_seconds: watched.max_silence.as_secs_f64(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn readiness_follows_components_and_draining() {
        let health = Health::new("test");
        assert!(health.is_ready());
        health.unhealthy("database", "no connection for 12 s");
        assert_eq!(health.report().status, Status::NotReady);
        health.healthy("database");
        assert!(health.is_ready());
        health.draining();
        assert_eq!(health.report().status, Status::Draining);
    }

    #[test]
    fn a_silent_loop_is_noticed_until_it_goes_on_or_ends() {
        let health = Health::new("test");
        let watched = health.register_loop("sweep", SECOND * 10);
        let status_in = |seconds| health.report_at(Instant::now() + SECOND * seconds).status;
        assert_eq!(status_in(9), Status::Ready);
        assert_eq!(status_in(11), Status::NotReady);
        watched.progress();
        assert_eq!(status_in(9), Status::Ready);
        drop(watched.clone());
        assert_eq!(status_in(11), Status::NotReady);
        watched.finished();
        assert_eq!(status_in(11), Status::Ready);
    }

    #[test]
    fn loops_of_one_name_are_watched_apart() {
        let health = Health::new("test");
        let first = health.register_loop("claim", SECOND);
        let _second = health.register_loop("claim", SECOND * 100);
        first.progress();
        let report = health.report_at(Instant::now() + SECOND * 50);
        let ok: Vec<bool> = report.loops.iter().map(|l| l.ok).collect();
        assert_eq!(ok, [false, true]);
    }
}
