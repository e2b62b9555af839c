//! Results on their way to the database, in batches that nobody waits for.
//!
//! A flusher takes everything that is there, at once when it is idle, and writes it with one statement per kind; what
//! arrives meanwhile is the next batch. While the database is away a batch is tried until it is answered: whether a
//! result still counts is decided by its token and not by how late it comes.

use crate::hint_pump::HintPump;
use parking_lot::Mutex as SyncMutex;
use scheduler_core::domain::Outcome;
use scheduler_core::health::LoopHealth;
use scheduler_core::lifecycle::Shutdown;
use scheduler_core::store::transitions::claim::ClaimKey;
use scheduler_core::store::transitions::results::{Acceptance, AttemptReport, Receipt};
use scheduler_core::store::{Store, StoreResult};
use scheduler_core::telemetry::metrics as names;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, MutexGuard, mpsc};
use tokio_util::sync::CancellationToken;

/// Messages that may wait; beyond that whoever has a result waits, and keeps its place.
const WAITING: usize = 512;
/// Pauses between attempts while the database does not answer.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How often a flusher without work says that it is well.
const REPORT: Duration = Duration::from_secs(5);

enum Message {
    Results(Vec<AttemptReport>),
    HandBack(Vec<ClaimKey>),
}

/// What one flush writes.
#[derive(Default)]
struct Batch {
    results: Vec<AttemptReport>,
    unused: Vec<ClaimKey>,
}

/// Takes results and claims that are not used. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Reporter {
    sender: mpsc::Sender<Message>,
    writer: Arc<Writer>,
    /// What has been taken and not yet been written.
    pending: Arc<AtomicUsize>,
}

/// The other end: give it to [`Flushers::run`].
pub(crate) struct Flushers {
    receiver: Mutex<mpsc::Receiver<Message>>,
    writer: Arc<Writer>,
    pending: Arc<AtomicUsize>,
    batch: usize,
}

struct Writer {
    store: Store,
    hints: HintPump,
    shutdown: Shutdown,
    /// A statement that takes longer has lost its connection.
    patience: Duration,
    /// When the database began not to answer.
    away: SyncMutex<Option<Instant>>,
}

/// A reporter and its flushers. `batch` results make a batch full.
pub(crate) fn reporter(
    store: Store,
    hints: HintPump,
    shutdown: Shutdown,
    batch: usize,
    statement_timeout: Duration,
) -> (Reporter, Flushers) {
    let (sender, receiver) = mpsc::channel(WAITING);
    let patience = statement_timeout + Duration::from_secs(5);
    let writer = Arc::new(Writer { store, hints, shutdown, patience, away: SyncMutex::new(None) });
    let pending = Arc::new(AtomicUsize::new(0));
    let flushers =
        Flushers { receiver: Mutex::new(receiver), writer: Arc::clone(&writer), pending: Arc::clone(&pending), batch };
    (Reporter { sender, writer, pending }, flushers)
}

impl Reporter {
    /// Takes results; waits while too many are waiting already.
    pub async fn results(&self, results: Vec<AttemptReport>) {
        if !results.is_empty() {
            self.send(Message::Results(results)).await;
        }
    }

    /// Takes claims that go back unstarted.
    pub async fn hand_back(&self, claims: Vec<ClaimKey>) {
        if !claims.is_empty() {
            self.send(Message::HandBack(claims)).await;
        }
    }

    /// Writes results past the queue; returns when they are written, or at the hard shutdown.
    pub async fn write_now(&self, results: Vec<AttemptReport>) {
        self.writer.flush(Batch { results, unused: Vec::new() }).await;
    }

    /// Results and hand-backs that are not written yet.
    pub fn pending(&self) -> usize {
        self.pending.load(Ordering::Acquire)
    }

    async fn send(&self, message: Message) {
        self.pending.fetch_add(message.len(), Ordering::AcqRel);
        if self.sender.send(message).await.is_err() {
            // Only after the flushers have ended, which is after the last attempt has.
            tracing::error!("a result came after the end of the executor");
        }
    }
}

impl Message {
    fn len(&self) -> usize {
        match self {
            Self::Results(results) => results.len(),
            Self::HandBack(claims) => claims.len(),
        }
    }
}

impl Batch {
    fn add(&mut self, message: Message) {
        match message {
            Message::Results(results) if self.results.is_empty() => self.results = results,
            Message::Results(results) => self.results.extend(results),
            Message::HandBack(claims) => self.unused.extend(claims),
        }
    }

    fn len(&self) -> usize {
        self.results.len() + self.unused.len()
    }
}

impl Flushers {
    /// One flusher; any number may run. Ends once `finished` is cancelled and nothing waits any more.
    /// Shows in `health` that it makes progress; waiting for something to write is some.
    pub async fn run(self: Arc<Self>, finished: CancellationToken, health: LoopHealth) {
        while let Some(batch) = self.next(&finished, &health).await {
            let taken = batch.len();
            // What a hard shutdown leaves unwritten stays pending.
            if self.writer.flush(batch).await {
                self.pending.fetch_sub(taken, Ordering::AcqRel);
            }
            health.progress();
        }
        health.finished();
    }

    async fn next(&self, finished: &CancellationToken, health: &LoopHealth) -> Option<Batch> {
        let waiting = self.first(finished);
        tokio::pin!(waiting);
        let (mut receiver, first) = loop {
            tokio::select! {
                first = &mut waiting => break first,
                () = tokio::time::sleep(REPORT) => health.progress(),
            }
        };
        let mut batch = Batch::default();
        batch.add(first?);
        while batch.len() < self.batch {
            match receiver.try_recv() {
                Ok(message) => batch.add(message),
                Err(_) => break,
            }
        }
        Some(batch)
    }
}

impl Flushers {
    /// The place at the front of the queue, and what comes there; `None` at the end.
    async fn first(&self, finished: &CancellationToken) -> (MutexGuard<'_, mpsc::Receiver<Message>>, Option<Message>) {
        let mut receiver = self.receiver.lock().await;
        let first = tokio::select! {
            biased;
            message = receiver.recv() => message,
            () = finished.cancelled() => None,
        };
        (receiver, first)
    }
}

impl Writer {
    /// Writes a batch, however long it takes; `false` when the hard shutdown came first.
    async fn flush(&self, mut batch: Batch) -> bool {
        let mut pause = FIRST_PAUSE;
        loop {
            match tokio::time::timeout(self.patience, self.write(&mut batch)).await {
                Ok(Ok(())) => {
                    self.answered();
                    return true;
                }
                Ok(Err(error)) => self.not_answered(&anyhow::Error::from(error)),
                Err(_) => self.not_answered(&anyhow::anyhow!("no answer within {:?}", self.patience)),
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
                () = self.shutdown.hard() => {
                    tracing::error!(results = batch.results.len(), "results could not be written; their jobs will run again");
                    return false;
                }
            }
        }
    }

    /// Writes what is left of the batch.
    async fn write(&self, batch: &mut Batch) -> StoreResult<()> {
        if !batch.results.is_empty() {
            let started = Instant::now();
            let receipts = self.store.record_results(&batch.results).await?;
            metrics::histogram!(names::RESULTS_FLUSH_SECONDS).record(started.elapsed().as_secs_f64());
            metrics::histogram!(names::RESULTS_BATCH_SIZE).record(batch.results.len() as f64);
            batch.results.clear();
            self.account(&receipts);
        }
        if !batch.unused.is_empty() {
            let back = self.store.hand_back(&batch.unused).await?;
            batch.unused.clear();
            metrics::counter!(names::CLAIMS_RETURNED_TOTAL).increment(back.returned);
            finished("cancelled", back.cancelled);
            if back.has_dependents {
                self.hints.ending();
            }
            if back.released_caps {
                self.hints.released();
            }
        }
        Ok(())
    }

    fn account(&self, receipts: &[Receipt]) {
        let mut outcomes: HashMap<Outcome, u64> = HashMap::new();
        let mut stale = 0;
        for receipt in receipts {
            match receipt.acceptance {
                Acceptance::Accepted | Acceptance::Replayed => *outcomes.entry(receipt.outcome).or_default() += 1,
                Acceptance::Stale => stale += 1,
                Acceptance::Unstorable => {}
            }
        }
        for (outcome, count) in &outcomes {
            metrics::counter!(names::EXECUTIONS_TOTAL, "outcome" => outcome.as_str()).increment(*count);
        }
        let count = |outcome| outcomes.get(&outcome).copied().unwrap_or(0);
        finished("succeeded", count(Outcome::Succeeded));
        finished("cancelled", count(Outcome::Cancelled));
        if count(Outcome::Failed) + count(Outcome::TimedOut) > 0 {
            self.hints.failed();
        }
        if receipts.iter().any(|receipt| receipt.has_dependents) {
            self.hints.ending();
        }
        if receipts.iter().any(|receipt| receipt.released_caps) {
            self.hints.released();
        }
        if stale > 0 {
            tracing::warn!(results = stale, "results came too late: their claims belong to others by now");
            metrics::counter!(names::RESULTS_STALE_TOTAL).increment(stale);
        }
    }

    fn answered(&self) {
        if let Some(since) = self.away.lock().take() {
            tracing::info!(after_seconds = since.elapsed().as_secs_f64(), "results are written again");
        }
    }

    fn not_answered(&self, error: &anyhow::Error) {
        let mut away = self.away.lock();
        if away.is_none() {
            *away = Some(Instant::now());
            tracing::error!(error = format!("{error:#}"), "results cannot be written; trying again");
        }
    }
}

fn finished(state: &'static str, count: u64) {
    if count > 0 {
        metrics::counter!(names::JOBS_FINISHED_TOTAL, "state" => state).increment(count);
    }
}
