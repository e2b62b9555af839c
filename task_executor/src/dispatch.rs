//! What becomes of the ids that a loop got hold of: claimed, started, put off or dropped.

use crate::claiming::{self, AHEAD};
use crate::lane::Lane;
use crate::runner::{self, Ended};
use crate::session::Session;
use crate::slots::Reserved;
use crate::suspects::{self, Company};
use chrono::{DateTime, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use scheduler_core::domain::{ExecutionResult, Target};
use scheduler_core::queue::Member;
use scheduler_core::store::transitions::claim::{ClaimAnswer, ClaimKey, Claimed, Granted, Work};
use scheduler_core::store::transitions::results::AttemptReport;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Jobs due later than this are dropped: the populator will push them again in time.
const PUT_OFF_AT_MOST: Duration = Duration::from_secs(5);
/// A job that was put off is asked for again this long before its time.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// Claims the jobs and starts what was granted; the number of grants. `places` must be at least as many as jobs.
pub(crate) fn offer(lane: &Arc<Lane>, members: Vec<Member>, places: Reserved) -> BoxFuture<'_, usize> {
    // Boxed, because a job that is put off offers itself again.
    async move {
        let shared = &lane.shared;
        // Even in a drain what was popped is claimed, if that can be done at once: what is due runs sooner so than
        // after the next sweep.
        let company = tokio::select! {
            biased;
            company = shared.suspects.company() => company,
            () = shared.shutdown.soft() => return 0,
        };
        let session = tokio::select! {
            biased;
            session = shared.sessions.alive() => session,
            () = shared.shutdown.soft() => return 0,
        };
        match claiming::claim(shared, &session, &members).await {
            Some(claimed) => Batch::new(lane, session, places, company).start(claimed).await,
            None => 0,
        }
    }
    .boxed()
}

/// The answers to one claim on their way.
struct Batch<'a> {
    lane: &'a Arc<Lane>,
    session: Arc<Session>,
    places: Reserved,
    company: Company,
    received: Instant,
    now: DateTime<Utc>,
    /// Attempts that are over already.
    done: Vec<AttemptReport>,
    /// Claims that are not used.
    unused: Vec<ClaimKey>,
}

impl<'a> Batch<'a> {
    fn new(lane: &'a Arc<Lane>, session: Arc<Session>, places: Reserved, company: Company) -> Self {
        let now = lane.shared.clock.now();
        let (received, done, unused) = (Instant::now(), Vec::new(), Vec::new());
        Self { lane, session, places, company, received, now, done, unused }
    }

    async fn start(mut self, claimed: Vec<Claimed>) -> usize {
        let mut granted = 0;
        for Claimed { key, answer } in claimed {
            match answer {
                ClaimAnswer::Granted(job) => {
                    granted += 1;
                    self.start_one(job);
                }
                ClaimAnswer::NotDue { due_in } => put_off(self.lane, member_of(key), due_in),
                // The populator looks after these.
                ClaimAnswer::Paused
                | ClaimAnswer::Overlap
                | ClaimAnswer::OverCap
                | ClaimAnswer::Taken
                | ClaimAnswer::Gone => {}
            }
        }
        // Nothing of this batch needs a place any more that has not taken one.
        drop(self.places);
        let reporter = &self.lane.shared.reporter;
        reporter.hand_back(self.unused).await;
        reporter.results(self.done).await;
        granted
    }

    fn start_one(&mut self, job: Box<Granted>) {
        if job.cancel_requested {
            self.unused.push(job.key);
        } else if job.crashes >= suspects::CRASHES {
            suspects::take(self.lane, &self.session, job.key);
        } else if job.due_in.is_zero() && matches!(job.work, Ok(Work { target: Target::Noop(_), .. })) {
            self.finish_noop(&job);
        } else if let Some(place) = self.places.split_one() {
            self.spawn(job, place);
        } else {
            self.unused.push(job.key);
        }
    }

    /// A job that does nothing needs neither a task nor a timer.
    fn finish_noop(&mut self, job: &Granted) {
        let delay = (self.now - job.run_at).to_std().unwrap_or_default();
        self.lane.meter.start_delay.record(delay.as_secs_f64());
        self.done.push(AttemptReport {
            key: job.key,
            session: self.session.id,
            started_at: self.now,
            finished_at: self.now,
            result: ExecutionResult::success(),
        });
    }

    fn spawn(&self, job: Box<Granted>, place: Reserved) {
        let (lane, session) = (Arc::clone(self.lane), Arc::clone(&self.session));
        let (company, received) = (Arc::clone(&self.company), self.received);
        self.lane.shared.tasks.spawn(async move {
            let key = job.key;
            let reporter = &lane.shared.reporter;
            match runner::execute(&lane.shared, &lane.meter, &session, *job, received).await {
                Ended::Reported(report) => reporter.results(vec![report]).await,
                Ended::Unstarted => reporter.hand_back(vec![key]).await,
                Ended::CutOff => lane.shared.leave_something(),
                Ended::Fenced => {}
            }
            drop((place, company));
        });
    }
}

/// Asks again for a job that is not due yet, when its time has come.
fn put_off(lane: &Arc<Lane>, member: Member, due_in: Duration) {
    if due_in > PUT_OFF_AT_MOST {
        return;
    }
    let lane = Arc::clone(lane);
    // Never sooner than when the claim can be granted.
    let wait = due_in.saturating_sub(ASK_AGAIN.min(AHEAD));
    lane.shared.tasks.clone().spawn(async move {
        let places = async {
            tokio::time::sleep(wait).await;
            lane.slots.reserve(1).await
        };
        tokio::select! {
            places = places => drop(offer(&lane, vec![member], places).await),
            () = lane.shared.shutdown.soft() => {}
        }
    });
}

/// The job of a claim, as Redis names it.
pub(crate) fn member_of(key: ClaimKey) -> Member {
    Member { merchant: key.merchant, job: key.job }
}
