//! The right to run jobs, and the moment by which it has ended for certain.

use parking_lot::Mutex;
use scheduler_core::domain::SessionId;
use scheduler_core::planted::planted;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long a session lasts without renewal, seen from this process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lease {
    /// Time between renewals.
    pub renew: Duration,
    /// Others count the session as lost this long after a renewal.
    pub lost_after: Duration,
}

impl Lease {
    /// The moment by which all effects must have stopped. Counted from *sending* the last successful renewal, because
    /// the database may have acted on it at once, and a margin before others may grant the jobs again.
    pub fn deadline(&self, sent: Instant) -> Instant {
        if planted("renew_after_expiry") {
            return sent + Duration::from_secs(3600);
        }
        let margin = (self.lost_after / 4).min(Duration::from_secs(1));
        sent + (self.lost_after - margin)
    }
}

/// One session of this process.
#[derive(Debug)]
pub(crate) struct Session {
    /// Its key in the database.
    pub id: SessionId,
    /// Cancelled at the moment when everything that runs under the session has to stop.
    pub lost: CancellationToken,
    deadline: Mutex<Instant>,
}

impl Session {
    /// A session that was opened by a statement sent at `sent`.
    pub fn opened(id: SessionId, lease: &Lease, sent: Instant) -> Self {
        Self { id, lost: CancellationToken::new(), deadline: Mutex::new(lease.deadline(sent)) }
    }

    /// A renewal that was sent at `sent` has succeeded.
    pub fn renewed(&self, lease: &Lease, sent: Instant) {
        *self.deadline.lock() = lease.deadline(sent);
    }

    /// When the right to run ends without another renewal.
    pub fn deadline(&self) -> Instant {
        *self.deadline.lock()
    }

    /// Whether work may be started under it now. Asked right before each effect: a process that was stopped for a
    /// while must not act on a right that ended meanwhile.
    pub fn is_alive(&self) -> bool {
        self.is_alive_at(Instant::now())
    }

    fn is_alive_at(&self, now: Instant) -> bool {
        !self.lost.is_cancelled() && now < self.deadline()
    }
}

/// The session of this process as its parts see it: it may be missing, and be replaced by a new one.
#[derive(Clone)]
pub(crate) struct Sessions(pub watch::Receiver<Option<Arc<Session>>>);

impl Sessions {
    /// The session, once there is one. Pends for ever when the keeper has ended.
    pub async fn alive(&self) -> Arc<Session> {
        let mut current = self.0.clone();
        loop {
            if let Some(session) = current.borrow_and_update().as_ref().filter(|session| session.is_alive()) {
                return Arc::clone(session);
            }
            if current.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_deadline_lies_a_margin_before_the_loss() {
        let sent = Instant::now();
        let lease = Lease { renew: 2 * SECOND, lost_after: 8 * SECOND };
        assert_eq!(lease.deadline(sent), sent + 7 * SECOND);
        let short = Lease { renew: SECOND / 10, lost_after: SECOND };
        assert_eq!(short.deadline(sent), sent + SECOND * 3 / 4);
    }

    #[test]
    fn a_session_ends_at_its_deadline_unless_renewed() {
        let lease = Lease { renew: 2 * SECOND, lost_after: 8 * SECOND };
        let start = Instant::now();
        let session = Session::opened(SessionId::random(), &lease, start);
        assert!(session.is_alive_at(start + 6 * SECOND));
        assert!(!session.is_alive_at(start + 7 * SECOND));
        session.renewed(&lease, start + 5 * SECOND);
        assert!(session.is_alive_at(start + 11 * SECOND));
        assert!(!session.is_alive_at(start + 12 * SECOND));
    }

    #[test]
    fn a_session_that_was_told_it_is_lost_is_not_alive() {
        let lease = Lease { renew: SECOND, lost_after: 8 * SECOND };
        let session = Session::opened(SessionId::random(), &lease, Instant::now());
        session.lost.cancel();
        assert!(!session.is_alive());
    }
}
