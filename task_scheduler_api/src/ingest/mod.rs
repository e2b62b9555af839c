//! Group commit for single creates: concurrent requests share one insert and one commit.
//!
//! A few flushers take turns at the queue. Whoever is at the front takes everything that waits (at least one create, at
//! most a group), and goes to the database with it while the next one waits at the queue. So an idle service lingers
//! for nothing, and a busy one gathers for as long as the commits before take. Each create is answered after *its*
//! commit.

mod flush;
mod group;

use crate::hints::Hints;
use crate::problem::Problem;
use flush::Flusher;
use scheduler_core::config::ApiSettings;
use scheduler_core::domain::JobId;
use scheduler_core::health::Health;
use scheduler_core::planted::planted;
use scheduler_core::store::Store;
use scheduler_core::store::idempotency::{KeyHolder, StoredAnswer};
use scheduler_core::store::job_create::Single;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc, oneshot};

/// A flusher that has not got its group written for so long is stuck.
const MAX_SILENCE: Duration = Duration::from_secs(60);

/// What became of one create.
#[derive(Clone, Debug)]
pub enum Ingested {
    /// The job exists.
    Created,
    /// The idempotency key was used before, by this request or by another.
    KeyTaken(KeyHolder),
    /// A live job holds the `dedupe_key`.
    Duplicate(Option<JobId>),
    /// Nobody knows, or nothing was written: the problem says which.
    Refused(Problem),
}

impl Ingested {
    fn replay(answer: &StoredAnswer) -> Self {
        Self::KeyTaken(KeyHolder::Same(answer.clone()))
    }
}

/// A create that waits for its commit.
struct Waiting {
    single: Arc<Single>,
    answer: oneshot::Sender<Ingested>,
}

/// The way in; cheap to clone. The flushers end when the last one is dropped.
#[derive(Clone)]
pub struct Ingest {
    queue: mpsc::Sender<Waiting>,
}

impl Ingest {
    /// Starts the flushers.
    /// Each flusher shows in `health`; one that makes no progress makes the process unready.
    pub fn start(store: Store, hints: Hints, settings: &ApiSettings, health: &Health) -> Self {
        let (queue, waiting) = mpsc::channel(settings.ingest_queue_max);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..settings.ingest_flushers {
            let flusher = Flusher { store: store.clone(), hints: hints.clone(), group_max: settings.ingest_group_max };
            tokio::spawn(flusher.run(Arc::clone(&waiting), health.register_loop("ingest", MAX_SILENCE)));
        }
        Self { queue }
    }

    /// Creates one job without parents; returns after its commit. A job with both a `dedupe_key` and an idempotency key
    /// does not belong here.
    ///
    /// # Errors
    /// 503 when too many creates wait already.
    pub async fn create(&self, single: Arc<Single>) -> Result<Ingested, Problem> {
        let (answer, answered) = oneshot::channel();
        let queued = self.queue.try_send(Waiting { single, answer });
        queued
            .map_err(|_full| Problem::unavailable("ingest_full", "too many creates are waiting already; try again"))?;
        if planted("ack_before_commit") {
            return Ok(Ingested::Created);
        }
        // Only a flusher that died drops the sender.
        answered.await.map_err(|_| Problem::internal())
    }
}
