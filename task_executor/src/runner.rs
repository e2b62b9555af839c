//! One attempt from its grant to its result.

use crate::dispatch::member_of;
use crate::executor::Shared;
use crate::lane::Meter;
use crate::session::Session;
use crate::targets::{Attempt, Targets};
use futures::FutureExt;
use scheduler_core::domain::{ExecutionResult, Outcome, variables};
use scheduler_core::store::transitions::claim::{ClaimKey, Granted, Work};
use scheduler_core::store::transitions::results::AttemptReport;
use scheduler_core::telemetry::metrics as names;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The longest error that is kept.
const LONGEST_ERROR: usize = 2000;

/// How an attempt left the executor.
#[derive(Debug)]
pub(crate) enum Ended {
    /// With a result.
    Reported(AttemptReport),
    /// Before it had started: the claim goes back.
    Unstarted,
    /// Stopped in the middle by the end of the drain.
    CutOff,
    /// Stopped because its session is lost.
    Fenced,
}

/// Waits for the job's time and runs it. `received` is when the grant had arrived.
pub(crate) async fn execute(
    shared: &Shared,
    meter: &Meter,
    session: &Session,
    job: Granted,
    received: Instant,
) -> Ended {
    let registered = shared.running.enter(job.key.token, member_of(job.key), session.id);
    tokio::select! {
        biased;
        () = session.lost.cancelled() => return Ended::Fenced,
        // Handing back a job that was called off ends it.
        () = registered.cancel.cancelled() => return Ended::Unstarted,
        () = until_due(received, job.due_in) => {}
        () = shared.shutdown.soft() => return Ended::Unstarted,
    }
    if !session.is_alive() {
        return Ended::Fenced;
    }
    let _counted = meter.running();
    let (started_at, started) = (shared.clock.now(), Instant::now());
    meter.start_delay.record((started_at - job.run_at).to_std().unwrap_or_default().as_secs_f64());
    let (key, number, timeout) = (job.key, job.attempt, job.timeout);
    let traceparent = job.traceparent.clone();
    let result = tokio::select! {
        biased;
        () = session.lost.cancelled() => return Ended::Fenced,
        () = shared.abort.cancelled() => return Ended::CutOff,
        result = run_target(&shared.targets, job, timeout, &registered.cancel) => result,
    };
    log(key, number, traceparent.as_deref(), &result, started.elapsed());
    let finished_at = shared.clock.now().max(started_at);
    Ended::Reported(AttemptReport { key, session: session.id, started_at, finished_at, result })
}

/// Never early: the database said how long it was when it answered, and the answer took its time to get here.
async fn until_due(received: Instant, due_in: Duration) {
    if !due_in.is_zero() {
        tokio::time::sleep_until(received + due_in).await;
    }
}

/// Runs the target within its time limit; panics, time-outs and cancels are results too.
async fn run_target(targets: &Targets, job: Granted, timeout: Duration, cancel: &CancellationToken) -> ExecutionResult {
    let Work { target, payload } = match job.work {
        Ok(work) if job.template_id.is_some() => with_variables(work, job.attempt),
        Ok(work) => work,
        Err(corrupt) => return ExecutionResult::failure(corrupt.to_string(), false),
    };
    let attempt = Attempt {
        key: job.key,
        number: job.attempt,
        scheduled_for: job.scheduled_for,
        traceparent: job.traceparent,
        payload,
    };
    let started = Instant::now();
    let mut result = bounded(targets.run(&target, &attempt), timeout, cancel).await;
    result.error = result.error.map(storable);
    metrics::histogram!(names::EXECUTION_SECONDS, "target" => target.kind()).record(started.elapsed().as_secs_f64());
    result
}

/// Work of a template's job with the variables that only an attempt knows.
fn with_variables(work: Work, attempt: i32) -> Work {
    let Work { target, payload } = work;
    // What was JSON stays JSON: only the inside of strings changes, by characters that need no escape.
    let rendered = |raw: Box<RawValue>| match variables::at_start(raw.get(), attempt) {
        Cow::Borrowed(_) => raw,
        Cow::Owned(text) => RawValue::from_string(text).unwrap_or(raw),
    };
    Work { target: variables::target_at_start(&target, attempt).into_owned(), payload: payload.map(rendered) }
}

/// The result of a target, or what kept it from having one.
async fn bounded(
    target: impl Future<Output = ExecutionResult>,
    timeout: Duration,
    cancel: &CancellationToken,
) -> ExecutionResult {
    tokio::select! {
        biased;
        () = cancel.cancelled() => cancelled(),
        ended = tokio::time::timeout(timeout, AssertUnwindSafe(target).catch_unwind()) => match ended {
            Ok(Ok(result)) => result,
            Ok(Err(_panic)) => ExecutionResult::failure("the target panicked inside the executor", true),
            Err(_elapsed) => timed_out(timeout),
        },
    }
}

fn cancelled() -> ExecutionResult {
    ExecutionResult {
        outcome: Outcome::Cancelled,
        ..ExecutionResult::failure("called off while it was running", false)
    }
}

fn timed_out(after: Duration) -> ExecutionResult {
    let sentence = format!("timed out after {} s", after.as_secs_f64());
    ExecutionResult { outcome: Outcome::TimedOut, ..ExecutionResult::failure(sentence, true) }
}

/// An error as the database takes it: without U+0000, and not too long.
fn storable(error: String) -> String {
    error.chars().filter(|c| *c != '\0').take(LONGEST_ERROR).collect()
}

fn log(key: ClaimKey, attempt: i32, traceparent: Option<&str>, result: &ExecutionResult, took: Duration) {
    let ClaimKey { merchant, job, token } = key;
    let (outcome, seconds) = (result.outcome.as_str(), took.as_secs_f64());
    let error = result.error.as_deref();
    // The field names are those of docs/logging.md; the reason is kept with the execution for whoever owns it.
    tracing::debug!(job_id = %job, merchant_id = %merchant, execution_id = %token, attempt, traceparent, outcome, seconds, error, "attempt ended");
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_panic_is_a_failure_that_may_be_retried() {
        let panics = async { panic!("a bug") };
        let result = bounded(panics, LONG, &CancellationToken::new()).await;
        assert_eq!((result.outcome, result.retryable), (Outcome::Failed, true));
        assert!(result.error.unwrap().contains("panicked"));
    }

    #[tokio::test]
    async fn time_limit_and_cancel_end_a_target_that_does_not() {
        let limit = Duration::from_millis(20);
        let result = bounded(std::future::pending(), limit, &CancellationToken::new()).await;
        assert_eq!((result.outcome, result.retryable), (Outcome::TimedOut, true));
        assert_eq!(result.error.unwrap(), "timed out after 0.02 s");
        let cancel = CancellationToken::new();
        cancel.cancel();
        assert_eq!(bounded(std::future::pending(), LONG, &cancel).await.outcome, Outcome::Cancelled);
    }

    #[test]
    fn errors_are_made_storable() {
        assert_eq!(storable("a\0b".to_owned()), "ab");
        assert_eq!(storable("ä".repeat(5000)).chars().count(), LONGEST_ERROR);
    }
}
