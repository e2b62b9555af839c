//! One flusher: takes what waits, writes it, answers.

use super::group::Group;
use super::{Ingested, Waiting};
use crate::hints::Hints;
use crate::problem::{OUTCOME_UNKNOWN, Problem};
use metrics::{counter, histogram};
use scheduler_core::domain::JobId;
use scheduler_core::health::LoopHealth;
use scheduler_core::store::idempotency::KeyHolder;
use scheduler_core::store::job_create::{CreateOutcome, CreateTogether, KeyedAnswer, NewJob, Single};
use scheduler_core::store::{ErrorClass, Store, StoreResult};
use scheduler_core::telemetry::metrics as names;
use std::collections::HashSet;
use std::slice;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, mpsc};

/// Pauses before the attempts to find out what a lost commit did.
const RESOLVE_PAUSES: [Duration; 3] =
    [Duration::from_millis(20), Duration::from_millis(200), Duration::from_millis(800)];

/// How long the creates of a failed group may take one by one before the rest is refused after an error.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often a flusher without work says that it is well.
const REPORT: Duration = Duration::from_secs(5);

/// Writes groups, one after the other.
pub(super) struct Flusher {
    pub store: Store,
    pub hints: Hints,
    pub group_max: usize,
}

impl Flusher {
    /// Until the queue is closed and empty.
    pub(super) async fn run(self, queue: Arc<Mutex<mpsc::Receiver<Waiting>>>, health: LoopHealth) {
        loop {
            let waiting = self.next(&queue, &health).await;
            if waiting.is_empty() {
                health.finished();
                return;
            }
            self.flush(Group::of(waiting)).await;
            health.progress();
        }
    }

    /// What waits, at most a group; nothing once the queue is closed. Waiting for work is no illness.
    async fn next(&self, queue: &Mutex<mpsc::Receiver<Waiting>>, health: &LoopHealth) -> Vec<Waiting> {
        let taking = async {
            let mut waiting = Vec::new();
            // The lock is the place at the front of the queue; it is not held while writing.
            queue.lock().await.recv_many(&mut waiting, self.group_max).await;
            waiting
        };
        tokio::pin!(taking);
        loop {
            tokio::select! {
                waiting = &mut taking => return waiting,
                () = tokio::time::sleep(REPORT) => health.progress(),
            }
        }
    }

    async fn flush(&self, mut group: Group) {
        let started = Instant::now();
        histogram!(names::INGEST_GROUP_SIZE).record(group.singles().len() as f64);
        let written = self.store.insert_group(group.singles()).await;
        match written {
            Ok(created) => {
                histogram!(names::INGEST_COMMIT_SECONDS).record(started.elapsed().as_secs_f64());
                self.announce(group.jobs().filter(|job| created.contains(&job.id)));
                group.answer(|single| created.contains(&single.job.id).then_some(Ingested::Created));
                // The rest met a key that was taken.
                self.one_by_one(group, false).await;
            }
            Err(error) => {
                let nobody_knows = error.class() == ErrorClass::Unknown;
                let error = anyhow::Error::new(error);
                tracing::warn!(
                    error = format!("{error:#}"),
                    "a group of creates failed; its jobs are tried one by one"
                );
                if nobody_knows {
                    self.recover(group).await;
                } else {
                    self.one_by_one(group, false).await;
                }
            }
        }
    }

    /// After a commit without an answer: nobody may create a job twice, nor be told that it failed when it did not.
    async fn recover(&self, mut group: Group) {
        let Some(existing) = self.resolve(&group).await else {
            let unknown = Problem::unavailable(
                OUTCOME_UNKNOWN,
                "the database went away while the job was written; it may exist: look for it, or repeat with an Idempotency-Key",
            );
            return group.answer(|_| Some(Ingested::Refused(unknown.clone())));
        };
        self.announce(group.jobs().filter(|job| existing.contains(&job.id)));
        group.answer(|single| existing.contains(&single.job.id).then_some(Ingested::Created));
        self.one_by_one(group, true).await;
    }

    /// Which jobs of a failed group exist; `None` when the database does not tell.
    async fn resolve(&self, group: &Group) -> Option<HashSet<JobId>> {
        let jobs: Vec<_> = group.jobs().map(|job| (job.merchant, job.id)).collect();
        for pause in RESOLVE_PAUSES {
            tokio::time::sleep(pause).await;
            match self.store.existing_jobs(&jobs).await {
                Ok(existing) => return Some(existing),
                Err(error) => tracing::debug!(error = %anyhow::Error::new(error), "the database still does not answer"),
            }
        }
        None
    }

    /// Each create in a transaction of its own, so that one that cannot be stored fails alone. Once the database is
    /// away, or too slow for so many, the rest need not try.
    async fn one_by_one(&self, mut group: Group, again: bool) {
        let started = Instant::now();
        let mut refused: Option<Problem> = None;
        while let Some((single, followers)) = group.next() {
            let outcome = match &refused {
                Some(problem) => Ingested::Refused(problem.clone()),
                None => match self.create_alone(&single, again).await {
                    Ok(outcome) => outcome,
                    Err(error) => {
                        let away = error.class() == ErrorClass::Unknown || started.elapsed() > PATIENCE;
                        let problem = Problem::from(error);
                        refused = away.then(|| problem.clone());
                        Ingested::Refused(problem)
                    }
                },
            };
            if matches!(outcome, Ingested::Created) {
                self.announce(std::iter::once(&single.job));
            }
            followers.answer(outcome);
        }
    }

    async fn create_alone(&self, single: &Single, mut again: bool) -> StoreResult<Ingested> {
        let body = |_: &[_]| single.key.as_ref().map(|(_, answer)| answer.body.clone()).unwrap_or_default();
        let key = single.key.as_ref().map(|(key, answer)| KeyedAnswer { key, status: answer.status, body: &body });
        let jobs = slice::from_ref(&single.job);
        let mut attempts = 0;
        loop {
            attempts += 1;
            let request = CreateTogether { merchant: single.job.merchant, jobs, key, again };
            match self.store.create_together(&request).await {
                // The attempt before this one took the key after all: the kept answer shows this very job.
                Ok(CreateOutcome::KeyTaken(KeyHolder::Same(kept))) if again && kept.body == body(&[]) => {
                    return Ok(Ingested::Created);
                }
                // The holder ended while we looked for it: the key is free.
                Ok(CreateOutcome::Duplicate { holder: None, .. }) if attempts < 3 => {}
                Ok(outcome) => return Ok(ingested(outcome)),
                Err(error) if error.is_unavailable() && attempts < 2 => again = true,
                Err(error) => return Err(error),
            }
        }
    }

    /// Counts the jobs and wakes the populators.
    fn announce<'a>(&self, jobs: impl Iterator<Item = &'a NewJob>) {
        let mut created = 0;
        let hint = |job: &NewJob| {
            created += 1;
            self.hints.due_hint(job.created_at, (job.merchant, job.id), job.run_at, job.spec.priority, &job.lane)
        };
        let due = jobs.filter_map(hint).collect();
        counter!(names::JOBS_CREATED_TOTAL, "source" => "api").increment(created);
        self.hints.due(due);
    }
}

fn ingested(outcome: CreateOutcome) -> Ingested {
    match outcome {
        CreateOutcome::Created(_) => Ingested::Created,
        CreateOutcome::KeyTaken(holder) => Ingested::KeyTaken(holder),
        CreateOutcome::Duplicate { holder, .. } => Ingested::Duplicate(holder),
        // Jobs with parents do not come here.
        CreateOutcome::UnknownParents(_) => Ingested::Refused(Problem::internal()),
    }
}
