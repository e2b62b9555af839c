//! Shutdown as an argument: first *soft* (take no new work, finish what runs), then *hard*
//! (stop now).
//!
//! A service gets a [`Shutdown`] and watches it; who decides holds the [`ShutdownTrigger`].
//! A process turns signals into it with [`Shutdown::from_signals`].

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Running,
    Soft,
    Hard,
}

/// The listening end: clone it into every task that has to stop.
///
/// When the last [`ShutdownTrigger`] is dropped without a word, both phases count as reached:
/// an owner that is gone could never ask any more, so its work does not outlive it.
#[derive(Clone, Debug)]
pub struct Shutdown {
    phase: watch::Receiver<Phase>,
    /// Only for [`Shutdown::never`]: keeps the sending end alive.
    _own: Option<Arc<watch::Sender<Phase>>>,
}

/// The deciding end. Phases only go forward; asking twice is harmless.
#[derive(Clone, Debug)]
pub struct ShutdownTrigger {
    phase: Arc<watch::Sender<Phase>>,
}

impl Shutdown {
    /// A new pair: who decides, and who listens.
    pub fn new() -> (ShutdownTrigger, Shutdown) {
        let (sender, receiver) = watch::channel(Phase::Running);
        let trigger = ShutdownTrigger { phase: Arc::new(sender) };
        (trigger, Shutdown { phase: receiver, _own: None })
    }

    /// A shutdown that never comes, for tools that simply run to their end.
    pub fn never() -> Shutdown {
        let (sender, receiver) = watch::channel(Phase::Running);
        Shutdown { phase: receiver, _own: Some(Arc::new(sender)) }
    }

    /// A shutdown driven by signals: the first SIGTERM or SIGINT is soft; a second one, or
    /// `grace` after the first, is hard. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When the signal handlers cannot be installed.
    pub fn from_signals(grace: Duration) -> std::io::Result<Shutdown> {
        let (trigger, shutdown) = Shutdown::new();
        trigger.on_signals(grace)?;
        Ok(shutdown)
    }

    /// Waits until the soft phase is reached (or passed).
    pub async fn soft(&self) {
        self.reached(Phase::Soft).await;
    }

    /// Waits until the hard phase is reached.
    pub async fn hard(&self) {
        self.reached(Phase::Hard).await;
    }

    /// Whether no new work should be taken any more.
    pub fn is_soft(&self) -> bool {
        self.has_reached(Phase::Soft)
    }

    /// Whether everything should stop now.
    pub fn is_hard(&self) -> bool {
        self.has_reached(Phase::Hard)
    }

    fn has_reached(&self, phase: Phase) -> bool {
        *self.phase.borrow() >= phase || self.phase.has_changed().is_err()
    }

    async fn reached(&self, phase: Phase) {
        // An error means that every trigger is gone, which counts as reached (see above).
        let _ = self.phase.clone().wait_for(|now| *now >= phase).await;
    }
}

impl ShutdownTrigger {
    /// Asks for the soft phase: no new work, finish what runs.
    pub fn soft(&self) {
        self.raise(Phase::Soft);
    }

    /// Asks for the hard phase: stop now. Implies the soft one.
    pub fn hard(&self) {
        self.raise(Phase::Hard);
    }

    /// Raises the phases on SIGTERM and SIGINT, as [`Shutdown::from_signals`] says.
    ///
    /// # Errors
    /// When the signal handlers cannot be installed.
    pub fn on_signals(self, grace: Duration) -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (send, receive) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            // For ever: a third signal must not kill the process in the middle of its work.
            loop {
                let signal = tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                };
                let _ = send.send(signal);
            }
        });
        tokio::spawn(self.follow(receive, grace));
        Ok(())
    }

    /// First signal: soft. Second, or the end of the grace: hard.
    async fn follow(self, mut signals: mpsc::UnboundedReceiver<&'static str>, grace: Duration) {
        let Some(signal) = signals.recv().await else {
            return;
        };
        tracing::info!(signal, grace_seconds = grace.as_secs_f64(), "shutting down");
        self.soft();
        tokio::select! {
            Some(signal) = signals.recv() => tracing::warn!(signal, "second signal: stopping now"),
            () = tokio::time::sleep(grace) => tracing::warn!("the grace is over: stopping now"),
        }
        self.hard();
    }

    fn raise(&self, to: Phase) {
        self.phase.send_if_modified(|phase| {
            let raises = *phase < to;
            if raises {
                *phase = to;
            }
            raises
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test]
    async fn soft_comes_before_hard_and_phases_never_go_back() {
        let (trigger, shutdown) = Shutdown::new();
        assert!(!shutdown.is_soft() && !shutdown.is_hard());
        trigger.soft();
        shutdown.soft().await;
        assert!(shutdown.is_soft() && !shutdown.is_hard());
        trigger.hard();
        trigger.soft();
        shutdown.hard().await;
        assert!(shutdown.is_soft() && shutdown.is_hard());
    }

    #[tokio::test]
    async fn hard_implies_soft_for_whoever_waits() {
        let (trigger, shutdown) = Shutdown::new();
        let waiting = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { shutdown.soft().await }
        });
        trigger.hard();
        waiting.await.unwrap();
    }

    #[tokio::test]
    async fn a_dropped_owner_stops_its_work() {
        let (trigger, shutdown) = Shutdown::new();
        let second = trigger.clone();
        drop(trigger);
        assert!(!shutdown.is_soft());
        drop(second);
        assert!(shutdown.is_soft() && shutdown.is_hard());
        shutdown.hard().await;
    }

    #[tokio::test]
    async fn never_never_comes() {
        let shutdown = Shutdown::never();
        let wait = Duration::from_millis(20);
        assert!(tokio::time::timeout(wait, shutdown.soft()).await.is_err());
        assert!(!shutdown.is_soft());
    }

    /// Starts following signals that the test sends.
    fn following(grace: Duration) -> (mpsc::UnboundedSender<&'static str>, Shutdown) {
        let (send, receive) = mpsc::unbounded_channel();
        let (trigger, shutdown) = Shutdown::new();
        tokio::spawn(trigger.follow(receive, grace));
        (send, shutdown)
    }

    #[tokio::test]
    async fn the_first_signal_is_soft_and_the_second_hard() {
        let (signals, shutdown) = following(Duration::from_secs(3600));
        signals.send("TEST").unwrap();
        shutdown.soft().await;
        assert!(!shutdown.is_hard());
        signals.send("TEST").unwrap();
        shutdown.hard().await;
    }

    #[tokio::test]
    async fn the_grace_ends_in_a_hard_shutdown() {
        let (signals, shutdown) = following(Duration::from_millis(20));
        let before = std::time::Instant::now();
        signals.send("TEST").unwrap();
        shutdown.hard().await;
        assert!(before.elapsed() >= Duration::from_millis(20));
    }
}
