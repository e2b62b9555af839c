//! The one loop of every duty: look at the data, do a bounded piece of work, sleep, repeat.
//!
//! A reconciler takes no input: what it does follows from what it reads. A signal ([`Wake`])
//! only shortens the wait, so a lost signal costs one period and the crash path is the happy
//! path. `tick()` stands apart from [`run_loop`]: tests call the tick, production loops.

use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, histogram};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::health::LoopHealth;
use crate::lifecycle::Shutdown;
use crate::telemetry::metrics as names;

/// The first pause after an error.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause between two attempts while errors go on.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The longest time that a tick may take. Every call to a server has a limit of its own far below; this one is for
/// whatever else may hang. The loop has long been reported as stuck by then.
const TICK_LIMIT: Duration = Duration::from_secs(120);

/// What a tick says about the work that is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A full batch was done and there may be more: tick again at once.
    More,
    /// Nothing is left to do now: wait for the period or for a wake-up.
    Idle,
}

impl Progress {
    /// [`Progress::More`] when a batch came out full, [`Progress::Idle`] otherwise.
    pub fn of_batch(done: usize, limit: usize) -> Self {
        if done >= limit { Progress::More } else { Progress::Idle }
    }
}

/// One duty, as a step that can be repeated for ever.
pub trait Reconcile: Send {
    /// The name in logs, metrics and health, in snake_case.
    const NAME: &'static str;

    /// What a tick fails with; its whole source chain is logged.
    type Error: Into<anyhow::Error> + Send;

    /// Does one bounded piece of work. Must be safe to repeat and safe to run next to the same
    /// tick in another process; an error must leave nothing half done.
    ///
    /// # Errors
    /// Whatever kept the work from being done; the loop pauses and tries again.
    fn tick(&mut self) -> impl Future<Output = Result<Progress, Self::Error>> + Send;
}

/// A wake-up for one loop. Signals that come while the loop is busy are kept as one.
#[derive(Clone, Debug, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// A wake-up that nobody has used yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the loop tick now, or once more after the present tick. Never blocks.
    pub fn wake(&self) {
        self.0.notify_one();
    }

    /// Waits for the next signal. Only one waiter may use a `Wake`.
    pub async fn woken(&self) {
        self.0.notified().await;
    }
}

/// Runs a reconciler until the soft shutdown, which is honoured between ticks.
///
/// Ticks at least once per `period`, at once when woken, and again immediately after
/// [`Progress::More`]. Errors are logged once per streak with their chain, counted, and followed
/// by a growing pause with jitter that wake-ups do not cut short. Every successful tick marks
/// progress for the watchdog, whose `max_silence` should therefore be well above `period`.
pub async fn run_loop<R: Reconcile>(
    mut reconciler: R,
    wake: Wake,
    period: Duration,
    health: LoopHealth,
    shutdown: Shutdown,
) {
    let mut streak = ErrorStreak::new(R::NAME);
    tracing::debug!(r#loop = R::NAME, period_seconds = period.as_secs_f64(), "loop started");
    while !shutdown.is_soft() {
        let started = Instant::now();
        let outcome = in_time(TICK_LIMIT, reconciler.tick()).await;
        histogram!(names::RECONCILE_TICK_SECONDS, "loop" => R::NAME).record(started.elapsed().as_secs_f64());
        match outcome {
            Ok(progress) => {
                streak.end();
                health.progress();
                if progress == Progress::Idle {
                    idle(&wake, period, &shutdown).await;
                } else {
                    // A tick that never waits must not keep other tasks from running.
                    tokio::task::yield_now().await;
                }
            }
            Err(error) => {
                let pause = streak.add(&error);
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = shutdown.soft() => {}
                }
            }
        }
    }
    health.finished();
    tracing::debug!(r#loop = R::NAME, "loop stopped");
}

/// A tick that hangs is given up and begun anew, as after an error.
async fn in_time<E: Into<anyhow::Error>>(
    limit: Duration,
    tick: impl Future<Output = Result<Progress, E>>,
) -> Result<Progress, anyhow::Error> {
    match tokio::time::timeout(limit, tick).await {
        Ok(outcome) => outcome.map_err(Into::into),
        Err(_elapsed) => Err(anyhow::anyhow!("the tick took longer than {} s and was given up", limit.as_secs_f64())),
    }
}

async fn idle(wake: &Wake, period: Duration, shutdown: &Shutdown) {
    tokio::select! {
        () = wake.woken() => {}
        () = tokio::time::sleep(period) => {}
        () = shutdown.soft() => {}
    }
}

/// Errors in a row: logged once, paused for longer each time.
struct ErrorStreak {
    name: &'static str,
    length: u32,
    since: Instant,
}

impl ErrorStreak {
    fn new(name: &'static str) -> Self {
        // Registers the counter at zero, so that rate() sees the first error too.
        counter!(names::RECONCILE_ERRORS_TOTAL, "loop" => name).increment(0);
        Self { name, length: 0, since: Instant::now() }
    }

    /// Notes an error; returns how long to pause.
    fn add(&mut self, error: &anyhow::Error) -> Duration {
        counter!(names::RECONCILE_ERRORS_TOTAL, "loop" => self.name).increment(1);
        if self.length == 0 {
            self.since = Instant::now();
            tracing::error!(r#loop = self.name, error = format!("{error:#}"), "tick failed; retrying");
        } else {
            tracing::debug!(r#loop = self.name, error = format!("{error:#}"), "tick failed again");
        }
        self.length = self.length.saturating_add(1);
        jittered(pause_after(self.length))
    }

    fn end(&mut self) {
        if self.length > 0 {
            tracing::info!(
                r#loop = self.name,
                errors = self.length,
                after_seconds = self.since.elapsed().as_secs_f64(),
                "tick works again"
            );
            self.length = 0;
        }
    }
}

/// The pause after the n-th error in a row (n from 1), before jitter.
fn pause_after(errors: u32) -> Duration {
    let factor = 1_u32 << errors.saturating_sub(1).min(10);
    (FIRST_PAUSE * factor).min(LONGEST_PAUSE)
}

/// Between half the pause and all of it, so that processes that failed together part ways.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::health::Health;
    use crate::lifecycle::ShutdownTrigger;
    use parking_lot::Mutex;
    use std::collections::VecDeque;

    /// Answers its ticks from a script, then with `Idle`; notes when each tick happened.
    struct Scripted {
        answers: VecDeque<Result<Progress, &'static str>>,
        ticks: Arc<Mutex<Vec<Duration>>>,
        start: Instant,
    }

    impl Reconcile for Scripted {
        const NAME: &'static str = "scripted";
        type Error = anyhow::Error;

        async fn tick(&mut self) -> Result<Progress, anyhow::Error> {
            self.ticks.lock().push(self.start.elapsed());
            let answer = self.answers.pop_front().unwrap_or(Ok(Progress::Idle));
            answer.map_err(|text| anyhow::anyhow!(text).context("the tick"))
        }
    }

    struct Running {
        ticks: Arc<Mutex<Vec<Duration>>>,
        wake: Wake,
        trigger: ShutdownTrigger,
        health: Health,
        task: tokio::task::JoinHandle<()>,
    }

    /// Longer than any test: whoever waits for it hangs.
    const NEVER: Duration = Duration::from_secs(3600);

    fn run(period: Duration, answers: Vec<Result<Progress, &'static str>>) -> Running {
        let ticks = Arc::new(Mutex::new(Vec::new()));
        let (trigger, shutdown) = Shutdown::new();
        let (wake, health) = (Wake::new(), Health::new("test"));
        let scripted = Scripted { answers: answers.into(), ticks: ticks.clone(), start: Instant::now() };
        let watched = health.register_loop("scripted", Duration::from_millis(50));
        let task = tokio::spawn(run_loop(scripted, wake.clone(), period, watched, shutdown));
        Running { ticks, wake, trigger, health, task }
    }

    /// Polls until the condition holds.
    async fn until(condition: impl Fn() -> bool) {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    impl Running {
        async fn until_ticks(&self, count: usize) -> Vec<Duration> {
            until(|| self.ticks.lock().len() >= count).await;
            self.ticks.lock().clone()
        }
    }

    #[tokio::test]
    async fn ticks_at_once_when_there_is_more_or_when_woken() {
        let running = run(NEVER, vec![Ok(Progress::More), Ok(Progress::More)]);
        running.until_ticks(3).await;
        running.wake.wake();
        running.until_ticks(4).await;
    }

    #[tokio::test]
    async fn ticks_each_period_without_any_signal() {
        let period = Duration::from_millis(20);
        let ticks = run(period, vec![]).until_ticks(4).await;
        assert!(ticks.windows(2).all(|pair| pair[1] - pair[0] >= period), "{ticks:?}");
    }

    #[tokio::test]
    async fn errors_pause_longer_each_time_even_when_woken() {
        let running = run(NEVER, vec![Err("a"), Err("b"), Err("c")]);
        running.until_ticks(1).await;
        running.wake.wake();
        // The signal was kept: it may add a tick after the first that works, beyond these four.
        let ticks = running.until_ticks(4).await;
        for (n, pair) in ticks[..4].windows(2).enumerate() {
            let least = pause_after(n as u32 + 1) / 2;
            assert!(pair[1] - pair[0] >= least, "pause {n}: {ticks:?}");
        }
    }

    #[tokio::test]
    async fn stops_between_ticks_and_leaves_the_watchdog() {
        let running = run(NEVER, vec![]);
        running.until_ticks(1).await;
        running.trigger.soft();
        running.task.await.unwrap();
        assert!(running.health.report().loops.is_empty());
    }

    #[tokio::test]
    async fn a_shutdown_cuts_the_pause_after_an_error_short() {
        let running = run(NEVER, vec![Err("down"); 100]);
        running.until_ticks(3).await;
        running.trigger.soft();
        running.task.await.unwrap();
        assert!(running.ticks.lock().len() <= 4);
    }

    #[tokio::test]
    async fn a_loop_that_only_fails_becomes_unready_until_it_works() {
        let running = run(Duration::from_millis(1), vec![Err("down"); 3]);
        until(|| !running.health.is_ready()).await;
        running.until_ticks(4).await;
        until(|| running.health.is_ready()).await;
    }

    #[tokio::test]
    async fn a_tick_that_hangs_is_given_up_and_begun_anew() {
        let limit = Duration::from_millis(20);
        let hangs = std::future::pending::<Result<Progress, anyhow::Error>>();
        let error = in_time(limit, hangs).await.unwrap_err();
        assert!(error.to_string().contains("given up"), "{error}");
        let works = async { Ok::<_, anyhow::Error>(Progress::More) };
        assert_eq!(in_time(limit, works).await.unwrap(), Progress::More);
    }

    #[test]
    fn pauses_grow_to_a_limit() {
        assert_eq!(pause_after(1), FIRST_PAUSE);
        assert_eq!(pause_after(2), FIRST_PAUSE * 2);
        assert_eq!(pause_after(7), LONGEST_PAUSE);
        assert_eq!(pause_after(u32::MAX), LONGEST_PAUSE);
        for _ in 0..100 {
            let pause = jittered(LONGEST_PAUSE);
            assert!(pause >= LONGEST_PAUSE / 2 && pause <= LONGEST_PAUSE);
        }
    }

    #[test]
    fn a_full_batch_means_more() {
        assert_eq!(Progress::of_batch(10, 10), Progress::More);
        assert_eq!(Progress::of_batch(9, 10), Progress::Idle);
    }
}
