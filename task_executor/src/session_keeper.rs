//! Opens the session of this process, renews it, and ends everything that runs under it when it is lost.

use crate::session::{Lease, Session};
use scheduler_core::attach::process_id;
use scheduler_core::domain::SessionId;
use scheduler_core::health::{Health, LoopHealth};
use scheduler_core::planted::planted;
use scheduler_core::store::{Store, StoreResult};
use scheduler_core::telemetry::metrics as names;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The longest pause between attempts to open or renew while the database does not answer.
const RETRY: Duration = Duration::from_millis(250);

/// What the keeper asks of the database.
pub(crate) trait SessionRows: Send + Sync {
    /// Begins a session.
    fn open(&self, id: SessionId) -> impl Future<Output = StoreResult<()>> + Send;
    /// Renews it; `false` when it is lost.
    fn renew(&self, id: SessionId) -> impl Future<Output = StoreResult<bool>> + Send;
}

/// The rows of this process.
pub(crate) struct ProcessRows {
    /// Connections for nothing else.
    pub store: Store,
    /// Shown to people.
    pub host: String,
    /// The lanes it serves.
    pub lanes: Vec<String>,
    /// Time without renewal after which it counts as lost.
    pub lost_after: Duration,
}

impl SessionRows for ProcessRows {
    async fn open(&self, id: SessionId) -> StoreResult<()> {
        self.store.open_session(id, &self.host, process_id(), &self.lanes).await
    }

    async fn renew(&self, id: SessionId) -> StoreResult<bool> {
        self.store.renew_session(id, self.lost_after).await
    }
}

/// The keeper of one process's session.
pub(crate) struct Keeper<R> {
    /// The database.
    pub rows: R,
    /// The rhythm.
    pub lease: Lease,
    /// Where the parts of the executor look for the session.
    pub publish: watch::Sender<Option<Arc<Session>>>,
    /// Shown as the component `session`.
    pub health: Health,
    /// Shown as the loop `session`.
    pub watched: LoopHealth,
}

impl<R: SessionRows> Keeper<R> {
    /// Keeps a session until told to stop, opening a new one whenever it is lost. The last one is returned as it is:
    /// its row still stands.
    pub async fn run(self, stop: CancellationToken) -> Option<Arc<Session>> {
        let last = loop {
            let session = tokio::select! {
                session = self.open() => Arc::new(session),
                () = stop.cancelled() => break None,
            };
            tracing::info!(session = %session.id, "session opened");
            self.health.healthy("session");
            self.publish.send_replace(Some(Arc::clone(&session)));
            let lost = tokio::select! {
                () = self.keep(&session) => true,
                () = stop.cancelled() => false,
            };
            if !lost {
                break Some(session);
            }
            self.drop_lost(&session);
        };
        self.watched.finished();
        last
    }

    async fn open(&self) -> Session {
        let mut complained = false;
        loop {
            let (id, sent) = (SessionId::random(), Instant::now());
            match tokio::time::timeout(self.lease.lost_after, self.rows.open(id)).await {
                Ok(Ok(())) => {
                    let session = Session::opened(id, &self.lease, sent);
                    if session.is_alive() {
                        return session;
                    }
                }
                Ok(Err(error)) if !complained => {
                    tracing::warn!(error = %anyhow::Error::from(error), "no session yet: the database does not answer");
                    complained = true;
                }
                Ok(Err(_)) | Err(_) => {}
            }
            self.health.unhealthy("session", "no session: the database does not answer");
            self.watched.progress();
            tokio::time::sleep(self.pause()).await;
        }
    }

    /// Renews until the session is lost.
    async fn keep(&self, session: &Session) {
        let mut next = Instant::now() + self.lease.renew;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(next.min(session.deadline())) => {}
                // A claim has found out first.
                () = session.lost.cancelled() => return,
            }
            let sent = Instant::now();
            match tokio::time::timeout_at(session.deadline(), self.rows.renew(session.id)).await {
                Ok(Ok(true)) => {
                    session.renewed(&self.lease, sent);
                    self.health.healthy("session");
                    self.watched.progress();
                    next = sent + self.lease.renew;
                }
                Ok(Ok(false)) => return,
                Ok(Err(error)) => {
                    tracing::warn!(error = %anyhow::Error::from(error), "the session could not be renewed");
                    self.health.unhealthy("session", "cannot be renewed");
                    next = Instant::now() + self.pause();
                }
                // Not answered in time: nobody knows whether the session stands, so it does not.
                Err(_) => return,
            }
            if !session.is_alive() {
                return;
            }
        }
    }

    fn drop_lost(&self, session: &Session) {
        // In this order: nobody may start anything under it any more, then what runs stops.
        self.publish.send_replace(None);
        if !planted("fence_ignored") {
            session.lost.cancel();
        }
        metrics::counter!(names::SESSION_RENEWALS_FAILED_TOTAL).increment(1);
        self.health.unhealthy("session", "lost; opening a new one");
        tracing::error!(session = %session.id, "the session is lost: everything that ran under it was stopped");
    }

    fn pause(&self) -> Duration {
        RETRY.min(self.lease.renew / 4)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use parking_lot::Mutex;
    use scheduler_core::store::StoreError;
    use std::collections::VecDeque;

    const MS: Duration = Duration::from_millis(1);
    const LEASE: Lease = Lease { renew: Duration::from_millis(60), lost_after: Duration::from_millis(480) };
    /// `LEASE` less its margin.
    const FENCE: Duration = Duration::from_millis(360);

    #[derive(Clone, Copy)]
    enum Answer {
        Renewed,
        Lost,
        Away,
        Silence,
    }

    /// Answers renewals from a script, then with success; notes when it was asked.
    #[derive(Default)]
    struct Scripted {
        answers: Mutex<VecDeque<Answer>>,
    }

    impl SessionRows for Arc<Scripted> {
        async fn open(&self, _id: SessionId) -> StoreResult<()> {
            Ok(())
        }

        async fn renew(&self, _id: SessionId) -> StoreResult<bool> {
            let answer = self.answers.lock().pop_front().unwrap_or(Answer::Renewed);
            match answer {
                Answer::Renewed => Ok(true),
                Answer::Lost => Ok(false),
                Answer::Away => Err(StoreError::corrupt("sessions", "id", "x", "stands for any error")),
                Answer::Silence => std::future::pending().await,
            }
        }
    }

    struct Kept {
        sessions: watch::Receiver<Option<Arc<Session>>>,
        stop: CancellationToken,
        task: tokio::task::JoinHandle<Option<Arc<Session>>>,
    }

    impl Kept {
        async fn session(&mut self) -> Arc<Session> {
            self.sessions.wait_for(Option::is_some).await.unwrap().clone().unwrap()
        }
    }

    fn keep(answers: &[Answer]) -> Kept {
        let rows = Arc::new(Scripted::default());
        rows.answers.lock().extend(answers);
        let (publish, sessions) = watch::channel(None);
        let health = Health::new("test");
        let watched = health.register_loop("session", LEASE.lost_after * 4);
        let keeper = Keeper { rows, lease: LEASE, publish, health, watched };
        let stop = CancellationToken::new();
        Kept { sessions, task: tokio::spawn(keeper.run(stop.clone())), stop }
    }

    #[tokio::test]
    async fn renewals_keep_it_alive() {
        let mut kept = keep(&[]);
        let session = kept.session().await;
        let first = session.deadline();
        // Renewed often enough to have outlived its first deadline twice over.
        while session.deadline() < first + 2 * FENCE {
            assert!(session.is_alive());
            tokio::time::sleep(10 * MS).await;
        }
        kept.stop.cancel();
        assert_eq!(kept.task.await.unwrap().unwrap().id, session.id);
    }

    #[tokio::test]
    async fn a_refused_renewal_ends_it_at_once_and_a_new_one_follows() {
        let mut kept = keep(&[Answer::Renewed, Answer::Lost]);
        let session = kept.session().await;
        session.lost.cancelled().await;
        assert!(Instant::now() < session.deadline(), "it was not the deadline that ended it");
        let id = session.id;
        let next = kept.sessions.wait_for(|s| s.as_ref().is_some_and(|s| s.id != id)).await.unwrap();
        assert!(next.as_ref().unwrap().is_alive());
    }

    #[tokio::test]
    async fn silence_ends_it_at_the_deadline_counted_from_sending() {
        let mut kept = keep(&[Answer::Renewed, Answer::Silence]);
        let session = kept.session().await;
        session.lost.cancelled().await;
        // The renewal that succeeded moved the deadline, the silent one did not; it was not waited for longer.
        let now = Instant::now();
        assert!(
            now >= session.deadline() && now < session.deadline() + LEASE.lost_after,
            "{:?}",
            now - session.deadline()
        );
    }

    #[tokio::test]
    async fn errors_are_outlived_until_the_deadline() {
        let mut kept = keep(&[Answer::Away; 3]);
        let session = kept.session().await;
        let first = session.deadline();
        while session.deadline() == first {
            tokio::time::sleep(MS).await;
        }
        assert!(session.is_alive());

        let mut kept = keep(&[Answer::Away; 1000]);
        let session = kept.session().await;
        let first = session.deadline();
        session.lost.cancelled().await;
        assert!(Instant::now() >= first && session.deadline() == first);
    }

    #[tokio::test]
    async fn a_claim_that_found_the_loss_has_it_replaced() {
        let mut kept = keep(&[]);
        let session = kept.session().await;
        session.lost.cancel();
        let id = session.id;
        kept.sessions.wait_for(|s| s.as_ref().is_some_and(|s| s.id != id)).await.unwrap();
    }
}
