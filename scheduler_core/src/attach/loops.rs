//! The duties of a daemon as loops that are watched.

use crate::health::Health;
use crate::lifecycle::Shutdown;
use crate::reconcile::{Reconcile, Wake, run_loop};
use std::time::Duration;

/// Silence after which a loop counts as stuck, on top of a few of its periods.
const MAX_SILENCE: Duration = Duration::from_secs(30);

/// Runs duties, each under its own name in the health report. Cheap to clone.
#[derive(Clone)]
pub struct Loops {
    health: Health,
    shutdown: Shutdown,
}

impl Loops {
    /// Loops that show in `health` and run until the soft end of `shutdown`.
    pub fn new(health: &Health, shutdown: &Shutdown) -> Self {
        Self { health: health.clone(), shutdown: shutdown.clone() }
    }

    /// Watches a duty from now on; the future runs it, as [`run_loop`] does. Whoever polls it decides whether it is a
    /// task of its own.
    pub fn run<R: Reconcile>(&self, duty: R, wake: Wake, period: Duration) -> impl Future<Output = ()> + use<R> {
        let watched = self.health.register_loop(R::NAME, MAX_SILENCE + period * 4);
        run_loop(duty, wake, period, watched, self.shutdown.clone())
    }
}
