//! Pushing at the moment: hints that something is due, and the timer wheel.

use super::Lane;
use super::state::Admission;
use super::wheel::Timed;
use chrono::{DateTime, TimeDelta, Utc};
use scheduler_core::lifecycle::Shutdown;
use scheduler_core::queue::DueHint;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// For how long a push makes a hint about the same job and time superfluous. Shorter than for the sweep: a hand-back
/// brings a hint that differs in nothing from the first.
const HINT_HOLD: Duration = Duration::from_millis(200);
/// Silence after which the loop counts as stuck, and how often it says that it is well while nothing happens.
const MAX_SILENCE: Duration = Duration::from_secs(30);
const REPORT: Duration = Duration::from_secs(5);
/// Messages taken together.
const MESSAGES: usize = 64;
/// Timers that fire together.
const TIMERS: usize = 1_000;
/// Timers this close behind the first fire with it; shorter than a timer of the runtime can tell.
const COALESCE: TimeDelta = TimeDelta::microseconds(500);

/// Runs until the shutdown.
pub(super) async fn run(lane: &Lane, mut hints: mpsc::Receiver<Vec<DueHint>>, shutdown: &Shutdown) {
    let health = lane.tools.health.register_loop(&format!("timers {}", lane.name), MAX_SILENCE);
    while !shutdown.is_soft() {
        health.progress();
        let next = lane.state.lock().wheel.next_due();
        tokio::select! {
            () = shutdown.soft() => break,
            received = hints.recv() => match received {
                Some(first) => lane.take_hints(collect(first, &mut hints)).await,
                None => break,
            },
            () = tokio::time::sleep(REPORT) => {}
            () = lane.timer_set.notified() => {}
            () = until(lane, next) => lane.fire_timers().await,
        }
    }
    health.finished();
}

async fn until(lane: &Lane, next: Option<DateTime<Utc>>) {
    match next {
        Some(at) => lane.tools.clock.sleep_until(at - lane.ahead()).await,
        None => std::future::pending().await,
    }
}

/// Takes what else has arrived, so that a burst is one push.
fn collect(first: Vec<DueHint>, hints: &mut mpsc::Receiver<Vec<DueHint>>) -> Vec<DueHint> {
    let mut all = first;
    for _ in 1..MESSAGES {
        match hints.try_recv() {
            Ok(more) => all.extend(more),
            Err(_) => break,
        }
    }
    all
}

impl Lane {
    /// How long before its moment a job is pushed.
    pub(super) fn ahead(&self) -> TimeDelta {
        TimeDelta::from_std(self.tools.settings.push_ahead).unwrap_or(TimeDelta::zero())
    }

    /// Pushes what is due, sets timers for what is due before long, leaves the rest to sweeps.
    async fn take_hints(&self, hints: Vec<DueHint>) {
        let now = self.tools.clock.now();
        let due_until = now + self.ahead();
        let soon_until = now + self.tools.settings.lookahead;
        let mut due = Vec::new();
        let admission = {
            let mut state = self.state.lock();
            for hint in hints.into_iter().filter(|hint| hint.run_at <= soon_until) {
                let timed = Timed { run_at: hint.run_at, priority: hint.priority, member: hint.member };
                if timed.run_at <= due_until {
                    due.push(timed);
                } else {
                    // A full wheel: the sweep finds the job when it is due.
                    let _taken = state.wheel.set(timed);
                }
            }
            state.admit(&due, HINT_HOLD, self.bounds, &self.tools.weights.table(), Instant::now())
        };
        self.push_all(admission).await;
    }

    /// Pushes what the wheel says is due.
    async fn fire_timers(&self) {
        let until = self.tools.clock.now() + self.ahead() + COALESCE;
        let admission = {
            let mut state = self.state.lock();
            let due = state.wheel.take_due(until, TIMERS);
            let hold = state.recent.hold();
            state.admit(&due, hold, self.bounds, &self.tools.weights.table(), Instant::now())
        };
        self.push_all(admission).await;
    }

    async fn push_all(&self, admission: Admission) {
        let pushes = admission.batches.iter().map(|batch| self.push(batch));
        for pushed in futures::future::join_all(pushes).await {
            if let Err(error) = pushed {
                tracing::debug!(lane = self.name, %error, "not pushed; the sweep will find the jobs");
            }
        }
        // With a backlog the running sweep comes to them by itself.
        if admission.overflow && !self.state.lock().has_backlog() {
            self.request_sweep();
        }
    }
}
