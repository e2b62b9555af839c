//! Jobs under suspicion of killing their executor run alone.
//!
//! A crash strikes every job of a process, so a job that has been there more than once is no more than suspect. It gets
//! a session of its own, in which it is the only claim, at a moment when nothing else runs here: if that session is
//! lost too, it was this job.

use crate::claiming;
use crate::dispatch::member_of;
use crate::executor::Shared;
use crate::lane::Lane;
use crate::runner::{self, Ended};
use crate::session::{Session, Sessions};
use crate::session_keeper::Keeper;
use parking_lot::Mutex;
use scheduler_core::health::Health;
use scheduler_core::queue::Member;
use scheduler_core::store::StoreResult;
use scheduler_core::store::transitions::claim::{ClaimAnswer, ClaimKey, Granted};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Crashes that make a job suspect.
pub(crate) const CRASHES: i32 = 2;
/// How long the intake is held up for running attempts to end.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a suspect that did not get its turn waits before it holds up the intake again.
const COOL_DOWN: Duration = Duration::from_secs(30);

/// Whoever runs in company holds this; nobody runs alone meanwhile.
pub(crate) type Company = Arc<OwnedRwLockReadGuard<()>>;

/// Who runs alone, and who waits for it.
#[derive(Default)]
pub(crate) struct Suspects {
    gate: Arc<RwLock<()>>,
    waiting: Mutex<HashSet<Member>>,
}

impl Suspects {
    /// Waits until nobody runs alone, and keeps it so.
    pub async fn company(&self) -> Company {
        Arc::new(Arc::clone(&self.gate).read_owned().await)
    }
}

/// Gives the suspect's claim back and, in a task of its own, runs it alone.
pub(crate) fn take(lane: &Arc<Lane>, session: &Arc<Session>, key: ClaimKey) {
    let first = lane.shared.suspects.waiting.lock().insert(member_of(key));
    let (lane, session) = (Arc::clone(lane), Arc::clone(session));
    lane.shared.tasks.clone().spawn(async move {
        let shared = &lane.shared;
        if !first {
            // It came round again while it waits for its turn here.
            shared.reporter.hand_back(vec![key]).await;
            return;
        }
        if hand_back(shared, &session, key).await {
            run_when_alone(&lane, member_of(key)).await;
        }
        shared.suspects.waiting.lock().remove(&member_of(key));
    });
}

/// At once and not through the reporter: the claim must be gone before it is asked for again.
async fn hand_back(shared: &Shared, session: &Session, key: ClaimKey) -> bool {
    let claims = [key];
    let give = || shared.stores.results.hand_back(&claims);
    tokio::select! {
        _ = insist(give) => true,
        () = session.lost.cancelled() => false,
        () = shared.abort.cancelled() => {
            shared.leave_something();
            false
        }
    }
}

async fn run_when_alone(lane: &Arc<Lane>, member: Member) {
    let shared = &lane.shared;
    let alone: Option<OwnedRwLockWriteGuard<()>> = tokio::select! {
        alone = tokio::time::timeout(PATIENCE, Arc::clone(&shared.suspects.gate).write_owned()) => alone.ok(),
        () = shared.shutdown.soft() => return,
    };
    if let Some(_alone) = alone {
        tracing::warn!(job = %member.job, merchant = %member.merchant, "running a suspect of crashes alone");
        run_in_own_session(lane, member).await;
        return;
    }
    tracing::info!(job = %member.job, "a suspect of crashes has to wait: other attempts are running");
    tokio::select! {
        () = tokio::time::sleep(COOL_DOWN) => {}
        () = shared.shutdown.soft() => {}
    }
}

async fn run_in_own_session(lane: &Arc<Lane>, member: Member) {
    let shared = &lane.shared;
    let (publish, sessions) = watch::channel(None);
    let health = Health::new("suspect");
    let watched = health.register_loop("session", shared.lease.lost_after * 4);
    let keeper = Keeper { rows: shared.process_rows(), lease: shared.lease, publish, health, watched };
    let stop = CancellationToken::new();
    let keeping = tokio::spawn(keeper.run(stop.clone()));
    let sessions = Sessions(sessions);
    let opened = tokio::select! {
        session = sessions.alive() => Some(session),
        () = shared.shutdown.soft() => None,
    };
    let mut settled = true;
    if let Some(session) = opened {
        settled = claim_and_run(lane, &session, member).await;
    }
    stop.cancel();
    let last = keeping.await.ok().flatten();
    if let Some(session) = last.filter(|_| settled) {
        let ended = shared.stores.session.end_session(session.id).await;
        if let Err(error) = ended {
            tracing::debug!(?error, "a session of a suspect was not ended; it will be missed");
        }
    }
}

/// Whether the session holds no claim any more.
async fn claim_and_run(lane: &Arc<Lane>, session: &Arc<Session>, member: Member) -> bool {
    let shared = &lane.shared;
    let Some(claimed) = claiming::claim(shared, session, &[member]).await else {
        return false;
    };
    let granted = claimed.into_iter().find_map(|claimed| match claimed.answer {
        ClaimAnswer::Granted(job) => Some(job),
        _ => None,
    });
    match granted {
        Some(job) => run_granted(lane, session, *job).await,
        None => true,
    }
}

async fn run_granted(lane: &Arc<Lane>, session: &Arc<Session>, job: Granted) -> bool {
    let (shared, key) = (&lane.shared, job.key);
    if job.cancel_requested {
        return hand_back(shared, session, key).await;
    }
    match runner::execute(shared, &lane.meter, session, job, Instant::now()).await {
        // Not through the reporter: the session must outlast the result.
        Ended::Reported(report) => tokio::select! {
            () = shared.reporter.write_now(vec![report]) => true,
            () = session.lost.cancelled() => false,
        },
        Ended::Unstarted => hand_back(shared, session, key).await,
        Ended::CutOff | Ended::Fenced => false,
    }
}

/// Repeats a call that may be repeated until the database answers.
async fn insist<T, F: Future<Output = StoreResult<T>>>(call: impl Fn() -> F) -> T {
    loop {
        match call().await {
            Ok(answer) => return answer,
            Err(error) => {
                tracing::debug!(?error, "the database did not answer; asking again");
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
        }
    }
}
