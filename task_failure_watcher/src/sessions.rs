//! Declares sessions lost that are silent although the database can be reached.

use crate::contact::Contact;
use scheduler_core::attach::{host_name, process_id, show_database};
use scheduler_core::config::Settings;
use scheduler_core::domain::SessionId;
use scheduler_core::health::Health;
use scheduler_core::reconcile::{Progress, Reconcile, Wake};
use scheduler_core::store::{Store, StoreResult};
use scheduler_core::telemetry::metrics as names;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What the duty needs to know.
#[derive(Clone, Copy, Debug)]
pub struct SessionsConfig {
    /// A session without renewal for this long is lost.
    pub lost_after: Duration,
}

impl SessionsConfig {
    /// As the settings say.
    pub fn of(settings: &Settings) -> Self {
        Self { lost_after: settings.session.lost }
    }
}

/// Renews a session of its own at every tick. Once that has worked without a break for as long as it takes to be lost,
/// whoever has been silent for so long is lost: they could have renewed.
pub struct Sessions {
    store: Store,
    config: SessionsConfig,
    health: Health,
    reaper: Wake,
    contact: Contact,
    own: Arc<Mutex<Option<SessionId>>>,
}

/// Ends the watcher's own session when the service stops.
pub(crate) struct Goodbye {
    store: Store,
    own: Arc<Mutex<Option<SessionId>>>,
}

impl Sessions {
    /// The duty; `reaper` is woken when sessions were lost.
    pub fn new(store: Store, config: SessionsConfig, health: Health, reaper: Wake) -> Self {
        let contact = Contact::new(config.lost_after / 2);
        Self { store, config, health, reaper, contact, own: Arc::default() }
    }

    /// The farewell for later, when the loop has consumed the duty.
    pub(crate) fn goodbye(&self) -> Goodbye {
        Goodbye { store: self.store.clone(), own: Arc::clone(&self.own) }
    }

    /// Renews the own session, or begins one, and judges the others.
    async fn renew_and_judge(&mut self) -> StoreResult<Progress> {
        let id = self.session().await?;
        let sent = Instant::now();
        let Some(renewed_at) = self.store.renew_watch(id, self.config.lost_after).await? else {
            tracing::warn!(session_id = %id, "our own session was lost; beginning a new one");
            self.contact.broken();
            *lock(&self.own) = None;
            return Ok(Progress::More);
        };
        self.contact.renewed(Instant::now(), renewed_at);
        if self.contact.held_at(sent) < self.config.lost_after {
            return Ok(Progress::Idle);
        }
        for lost in self.store.declare_lost(renewed_at, self.config.lost_after).await? {
            if lost.is_executor {
                tracing::warn!(session_id = %lost.id, host = lost.host, pid = lost.pid, "a session was lost");
                metrics::counter!(names::SESSIONS_LOST_TOTAL).increment(1);
                self.reaper.wake();
            }
        }
        Ok(Progress::Idle)
    }

    async fn session(&self) -> StoreResult<SessionId> {
        let own = *lock(&self.own);
        if let Some(id) = own {
            return Ok(id);
        }
        let id = SessionId::random();
        self.store.open_session(id, &host_name(), process_id(), &[]).await?;
        *lock(&self.own) = Some(id);
        Ok(id)
    }
}

impl Reconcile for Sessions {
    const NAME: &'static str = "sessions";
    type Error = scheduler_core::store::StoreError;

    async fn tick(&mut self) -> Result<Progress, Self::Error> {
        let outcome = self.renew_and_judge().await;
        show_database(&self.health, &outcome);
        if outcome.is_err() {
            self.contact.broken();
        }
        outcome
    }
}

impl Goodbye {
    /// Ends the session, if there is one and the database answers.
    pub(crate) async fn say(self) {
        let own = lock(&self.own).take();
        if let Some(id) = own
            && let Err(error) = self.store.end_session(id).await
        {
            tracing::debug!(%error, "our own session was not ended; it will be missed");
        }
    }
}

fn lock(own: &Mutex<Option<SessionId>>) -> std::sync::MutexGuard<'_, Option<SessionId>> {
    // Nobody panics while holding it, and an id is whole at any time.
    own.lock().unwrap_or_else(PoisonError::into_inner)
}
