//! Which attempts are under way in this process, so that a cancel finds them.

use parking_lot::Mutex;
use scheduler_core::domain::{SessionId, Token};
use scheduler_core::queue::Member;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The registry of attempts under way. Cheap to clone; clones share their state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Running(Arc<Mutex<HashMap<Token, Entry>>>);

#[derive(Debug)]
struct Entry {
    member: Member,
    session: SessionId,
    cancel: CancellationToken,
}

/// An attempt's place in the registry; leaves it when dropped.
#[derive(Debug)]
pub(crate) struct Registered {
    running: Running,
    token: Token,
    /// Cancelled when the job was called off.
    pub cancel: CancellationToken,
}

impl Running {
    /// Enters an attempt.
    pub fn enter(&self, token: Token, member: Member, session: SessionId) -> Registered {
        let cancel = CancellationToken::new();
        self.0.lock().insert(token, Entry { member, session, cancel: cancel.clone() });
        Registered { running: self.clone(), token, cancel }
    }

    /// Tells an attempt that its job was called off; nothing happens when it has ended.
    pub fn cancel(&self, token: Token) {
        if let Some(entry) = self.0.lock().get(&token) {
            entry.cancel.cancel();
        }
    }

    /// Whether an attempt at this job is under way here.
    pub fn holds(&self, member: Member) -> bool {
        self.0.lock().values().any(|entry| entry.member == member)
    }

    /// The sessions that attempts run under; none when nothing runs.
    pub fn sessions(&self) -> HashSet<SessionId> {
        self.0.lock().values().map(|entry| entry.session).collect()
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.running.0.lock().remove(&self.token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scheduler_core::domain::{JobId, MerchantId};
    use uuid::Uuid;

    #[test]
    fn attempts_are_found_while_they_run() {
        let running = Running::default();
        let member = Member { merchant: MerchantId(Uuid::from_u128(1)), job: JobId(Uuid::from_u128(2)) };
        let (token, session) = (Token::random(), SessionId::random());
        let registered = running.enter(token, member, session);
        assert!(running.holds(member) && running.sessions().contains(&session));
        running.cancel(token);
        assert!(registered.cancel.is_cancelled());
        drop(registered);
        assert!(!running.holds(member) && running.sessions().is_empty());
        running.cancel(token);
    }
}
