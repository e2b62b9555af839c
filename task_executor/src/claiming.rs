//! Ids become claims.

use crate::executor::Shared;
use crate::session::Session;
use scheduler_core::domain::Token;
use scheduler_core::queue::Member;
use scheduler_core::store::transitions::claim::{ClaimAnswer, ClaimKey, Claimed};
use scheduler_core::telemetry::metrics as names;
use std::time::{Duration, Instant};

/// How long before its time a job may be claimed; its start waits for the time itself. More than the populator pushes
/// ahead, so that what it pushes is claimed at the first try.
pub(crate) const AHEAD: Duration = Duration::from_millis(250);

/// Pauses between attempts while the database does not answer.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Claims jobs for a session; `None` when the session is lost, or the database away while the executor drains.
///
/// A claim whose outcome is unknown must not be dropped: it may have been granted, and the job would be held by a
/// living session that does not run it. It is repeated with the same tokens until there is an answer.
pub(crate) async fn claim(shared: &Shared, session: &Session, members: &[Member]) -> Option<Vec<Claimed>> {
    let wish = |member: &Member| ClaimKey { merchant: member.merchant, job: member.job, token: Token::random() };
    let wanted: Vec<ClaimKey> = members.iter().map(wish).collect();
    let mut pause = FIRST_PAUSE;
    loop {
        let started = Instant::now();
        let answer = tokio::select! {
            answer = shared.stores.claims.claim(session.id, &wanted, AHEAD) => answer,
            () = session.lost.cancelled() => return None,
        };
        match answer {
            Ok(answers) if answers.is_empty() => {
                session.lost.cancel();
                return None;
            }
            Ok(answers) => {
                metrics::histogram!(names::CLAIM_SECONDS).record(started.elapsed().as_secs_f64());
                count(&answers);
                return Some(answers);
            }
            Err(error) if pause == FIRST_PAUSE => {
                tracing::warn!(error = %anyhow::Error::from(error), "a claim was not answered; asking again");
            }
            Err(error) => tracing::debug!(?error, "a claim was not answered again"),
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
            () = session.lost.cancelled() => return None,
            () = shared.shutdown.soft() => {
                shared.leave_something();
                return None;
            }
        }
    }
}

fn count(answers: &[Claimed]) {
    const NAMES: [&str; 7] = ["granted", "not_due", "paused", "overlap", "over_cap", "taken", "gone"];
    let mut counts = [0_u64; NAMES.len()];
    for claimed in answers {
        let index = match claimed.answer {
            ClaimAnswer::Granted(_) => 0,
            ClaimAnswer::NotDue { .. } => 1,
            ClaimAnswer::Paused => 2,
            ClaimAnswer::Overlap => 3,
            ClaimAnswer::OverCap => 4,
            ClaimAnswer::Taken => 5,
            ClaimAnswer::Gone => 6,
        };
        counts[index] += 1;
    }
    for (name, count) in NAMES.into_iter().zip(counts).filter(|(_, count)| *count > 0) {
        metrics::counter!(names::CLAIMS_TOTAL, "answer" => name).increment(count);
    }
}
