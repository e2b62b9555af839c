//! `running` → `succeeded | failed | cancelled`: accepted once, replayed, stale, poisoned.

use crate::support::World;
use scheduler_core::domain::{ExecutionResult, Outcome};
use scheduler_core::store::transitions::results::{Acceptance, AttemptReport, Receipt};
use std::time::Duration;
use test_support::seed;

async fn record(world: &World, report: &AttemptReport) -> Receipt {
    let receipts = world.results.record_results(std::slice::from_ref(report)).await.unwrap();
    assert_eq!(receipts.len(), 1);
    receipts[0]
}

#[tokio::test]
async fn a_success_leaves_the_live_table_with_its_execution() {
    let world = World::new().await;
    let (key, session) = world.running().await;
    let result = ExecutionResult {
        response_status: Some(201),
        response_body: vec![0, 255, 7],
        response_truncated: true,
        ..ExecutionResult::success()
    };
    let report = world.report(key, session, result).await;
    let receipt = record(&world, &report).await;
    assert_eq!((receipt.acceptance, receipt.has_dependents), (Acceptance::Accepted, false));
    assert_eq!(world.state(key.job).await.as_deref(), Some("succeeded"));
    let finished = format!(
        "SELECT count(*) FROM jobs_finished WHERE execution_id = '{}' AND session_id = '{}' AND attempt = 1
            AND outcome = 'succeeded' AND response_status = 201 AND response_body = '\\x00ff07' AND response_truncated",
        key.token, session
    );
    assert_eq!(world.number(&finished).await, 1);
    assert_eq!(world.number("SELECT (SELECT count(*) FROM claims) + (SELECT count(*) FROM jobs_live)").await, 0);
}

#[tokio::test]
async fn a_failure_waits_for_the_watchers_verdict() {
    let world = World::new().await;
    let (key, session) = world.running().await;
    let result = ExecutionResult {
        response_status: Some(503),
        retry_after: Some(Duration::from_secs(90)),
        ..ExecutionResult::failure("answered 503 Service Unavailable", true)
    };
    let report = world.report(key, session, result).await;
    assert_eq!(record(&world, &report).await.acceptance, Acceptance::Accepted);
    let live = "SELECT count(*) FROM jobs_live WHERE state = 'failed' AND attempt = 1 AND crashes = 0 AND retryable
         AND failed_at IS NOT NULL AND last_error = 'answered 503 Service Unavailable'
         AND retry_not_before BETWEEN now() + interval '80 seconds' AND now() + interval '90 seconds'";
    assert_eq!(world.number(live).await, 1);
    let execution = format!(
        "SELECT count(*) FROM executions WHERE id = '{}' AND attempt = 1 AND outcome = 'failed' AND response_status = 503",
        key.token
    );
    assert_eq!(world.number(&execution).await, 1);
    assert_eq!(world.number("SELECT count(*) FROM claims").await, 0);
}

#[tokio::test]
async fn a_time_out_is_a_failure_that_says_so() {
    let world = World::new().await;
    let (key, session) = world.running().await;
    let result =
        ExecutionResult { outcome: Outcome::TimedOut, ..ExecutionResult::failure("timed out after 1 s", true) };
    let report = world.report(key, session, result).await;
    record(&world, &report).await;
    assert_eq!(world.state(key.job).await.as_deref(), Some("failed"));
    assert_eq!(world.number("SELECT count(*) FROM executions WHERE outcome = 'timed_out'").await, 1);
}

#[tokio::test]
async fn the_same_result_sent_twice_is_accepted_twice_and_counts_once() {
    let world = World::new().await;
    for result in [ExecutionResult::success(), ExecutionResult::failure("no", true)] {
        let (key, session) = world.running().await;
        let report = world.report(key, session, result).await;
        assert_eq!(record(&world, &report).await.acceptance, Acceptance::Accepted);
        assert_eq!(record(&world, &report).await.acceptance, Acceptance::Replayed);
    }
    assert_eq!(
        world.number("SELECT (SELECT count(*) FROM jobs_finished) + (SELECT count(*) FROM executions)").await,
        2
    );
}

#[tokio::test]
async fn a_result_without_its_claim_is_stale() {
    let world = World::new().await;
    let (key, session) = world.running().await;
    // Lost and granted again, as a watcher and another executor would.
    world.execute("DELETE FROM claims").await;
    let other = world.claim_one(world.session().await, key.job).await;
    for result in [ExecutionResult::success(), ExecutionResult::failure("no", true)] {
        let late = world.report(key, session, result).await;
        assert_eq!(record(&world, &late).await.acceptance, Acceptance::Stale);
    }
    assert_eq!(world.number("SELECT count(*) FROM claims").await, 1);
    assert_eq!(world.state(key.job).await.as_deref(), Some("scheduled"));
    let report = world.report(other.key, session, ExecutionResult::success()).await;
    assert_eq!(record(&world, &report).await.acceptance, Acceptance::Accepted);
    let late = world.report(key, session, ExecutionResult::success()).await;
    assert_eq!(record(&world, &late).await.acceptance, Acceptance::Stale);
}

#[tokio::test]
async fn what_a_watcher_wrote_as_lost_is_not_a_replay() {
    let world = World::new().await;
    let (key, session) = world.running().await;
    world
        .execute(&format!(
            "DELETE FROM claims;
             INSERT INTO executions (merchant_id, job_id, id, session_id, started_at, finished_at, attempt, outcome)
             VALUES ('{}', '{}', '{}', '{session}', now(), now(), 1, 'lost')",
            key.merchant, key.job, key.token
        ))
        .await;
    let late = world.report(key, session, ExecutionResult::success()).await;
    assert_eq!(record(&world, &late).await.acceptance, Acceptance::Stale);
}

#[tokio::test]
async fn a_cancel_is_confirmed_only_when_it_was_asked_for() {
    let world = World::new().await;
    let cancelled = ExecutionResult { outcome: Outcome::Cancelled, ..ExecutionResult::failure("called off", false) };
    let (key, session) = world.running().await;
    world.execute("UPDATE jobs_live SET cancel_requested_at = now()").await;
    let report = world.report(key, session, cancelled.clone()).await;
    assert_eq!(record(&world, &report).await.acceptance, Acceptance::Accepted);
    let finished = "SELECT count(*) FROM jobs_finished WHERE state = 'cancelled' AND reason = 'cancelled'
         AND outcome = 'cancelled' AND attempt = 1 AND last_error = 'called off'";
    assert_eq!(world.number(finished).await, 1);

    // Nobody asked: the claim goes, the job stays as it was.
    let (key, session) = world.running().await;
    let report = world.report(key, session, cancelled).await;
    assert_eq!(record(&world, &report).await.acceptance, Acceptance::Stale);
    assert_eq!(world.state(key.job).await.as_deref(), Some("scheduled"));
}

#[tokio::test]
async fn a_success_wins_over_a_cancel_that_came_too_late() {
    let world = World::new().await;
    let (key, session) = world.running().await;
    world.execute("UPDATE jobs_live SET cancel_requested_at = now()").await;
    let report = world.report(key, session, ExecutionResult::success()).await;
    assert_eq!(record(&world, &report).await.acceptance, Acceptance::Accepted);
    assert_eq!(world.state(key.job).await.as_deref(), Some("succeeded"));
}

#[tokio::test]
async fn a_poisoned_report_stands_alone_in_the_end() {
    let world = World::new().await;
    let session = world.session().await;
    let mut reports = Vec::new();
    for n in 0..9 {
        let job = seed::job(world.db.store(), world.merchant).await;
        let key = world.claim_one(session, job).await.key;
        let error = if n == 5 { "poison \0 here" } else { "no" };
        reports.push(world.report(key, session, ExecutionResult::failure(error, true)).await);
    }
    let poisoned = reports[5].key;
    let receipts = world.results.record_results(&reports).await.unwrap();
    assert_eq!(receipts.len(), 9);
    assert!(receipts.iter().all(|receipt| receipt.acceptance == Acceptance::Accepted), "{receipts:?}");
    let dead_end = format!(
        "SELECT count(*) FROM jobs_live WHERE id = '{}' AND state = 'failed' AND NOT retryable
            AND last_error LIKE 'the result of the attempt could not be stored%'",
        poisoned.job
    );
    assert_eq!(world.number(&dead_end).await, 1);
    assert_eq!(world.number("SELECT count(*) FROM jobs_live WHERE state = 'failed' AND last_error = 'no'").await, 8);
    // Sent again, all of it is known.
    let again = world.results.record_results(&reports).await.unwrap();
    assert!(again.iter().all(|receipt| receipt.acceptance == Acceptance::Replayed), "{again:?}");
}

#[tokio::test]
async fn a_mixed_batch_is_answered_one_by_one() {
    let world = World::new().await;
    let (good, session) = world.running().await;
    let (bad, _) = world.running().await;
    world.execute(&format!("UPDATE jobs_live SET has_dependents = true WHERE id = '{}'", good.job)).await;
    let (stale, _) = world.running().await;
    world.execute(&format!("DELETE FROM claims WHERE job_id = '{}'", stale.job)).await;
    let reports = [
        world.report(stale, session, ExecutionResult::success()).await,
        world.report(bad, session, ExecutionResult::failure("no", false)).await,
        world.report(good, session, ExecutionResult::success()).await,
    ];
    let receipts = world.results.record_results(&reports).await.unwrap();
    let of = |token| receipts.iter().find(|receipt| receipt.token == token).unwrap();
    assert_eq!(of(stale.token).acceptance, Acceptance::Stale);
    assert_eq!((of(bad.token).acceptance, of(bad.token).outcome), (Acceptance::Accepted, Outcome::Failed));
    assert_eq!((of(good.token).acceptance, of(good.token).has_dependents), (Acceptance::Accepted, true));
    assert_eq!(world.number("SELECT count(*) FROM parent_endings").await, 1);
}
