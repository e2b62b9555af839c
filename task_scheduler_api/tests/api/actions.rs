//! Cancel, run-now, retry.

use crate::world::{World, job, next_hint};
use scheduler_core::domain::{ExecutionResult, JobId, Outcome};
use scheduler_core::queue::Hint;
use scheduler_core::queue::hints::Topic;
use serde_json::json;
use test_support::{seed, sql};

#[tokio::test]
async fn waiting_jobs_are_cancelled_at_once() {
    let world = World::new().await;
    let parent = world.create(json!({"delay_seconds": 60})).await;
    let blocked = world.create(json!({"depends_on": [parent]})).await;
    let failed = seed::JobSeed::failed(world.merchant, 1, true).insert(world.store()).await;
    let retrying = seed::JobSeed { state: "retrying", attempt: 1, ..seed::JobSeed::due(world.merchant) };
    let retrying = retrying.insert(world.store()).await;
    for id in [blocked, parent, failed, retrying] {
        let cancelled = world.act(&format!("/v1/jobs/{id}/cancel")).await.expect(200);
        assert_eq!((&cancelled["state"], &cancelled["reason"]), (&json!("cancelled"), &json!("cancelled")));
        assert_eq!(world.act(&format!("/v1/jobs/{id}/cancel")).await.expect(200), cancelled);
    }
    assert_eq!(sql::number(world.store(), "SELECT count(*) FROM claims").await, 0);
    assert_eq!(sql::number(world.store(), "SELECT count(*) FROM job_dependencies").await, 0);
}

#[tokio::test]
async fn a_running_job_is_asked_to_stop() {
    let world = World::new().await;
    let id = world.create(json!({})).await;
    let executor = world.executor().await;
    let claim = executor.claim(id).await;
    let mut hints = world.listen(&[Topic::Cancel]).await;
    let asked = world.act(&format!("/v1/jobs/{id}/cancel")).await.expect(202);
    assert_eq!(asked["state"], "running");
    let Hint::Cancel(member) = next_hint(&mut hints).await else { panic!("another hint") };
    assert_eq!((member.merchant, member.job), (world.merchant, id));
    let again = world.act(&format!("/v1/jobs/{id}/cancel")).await.expect(202);
    assert_eq!(again["cancel_requested_at"], asked["cancel_requested_at"]);
    let result = ExecutionResult { outcome: Outcome::Cancelled, ..ExecutionResult::failure("called off", false) };
    executor.finish(claim, result).await;
    assert_eq!(world.act(&format!("/v1/jobs/{id}/cancel")).await.expect(200)["state"], "cancelled");
}

#[tokio::test]
async fn what_has_ended_otherwise_cannot_be_cancelled() {
    let world = World::new().await;
    for id in [world.succeeded(json!({})).await, world.dead(json!({}), "exhausted").await] {
        let refused = world.act(&format!("/v1/jobs/{id}/cancel")).await.problem(409, "already_finished");
        assert_eq!(refused["job_id"], id.to_string());
    }
}

#[tokio::test]
async fn a_cancel_and_a_claim_never_both_win() {
    let world = World::new().await;
    let executor = world.executor().await;
    for _ in 0..20 {
        let id = world.create(json!({})).await;
        let wish = scheduler_core::store::transitions::claim::ClaimKey {
            merchant: world.merchant,
            job: id,
            token: scheduler_core::domain::Token::random(),
        };
        let path = format!("/v1/jobs/{id}/cancel");
        let wishes = [wish];
        let claim = world.database.claims_store().claim(executor.session, &wishes, std::time::Duration::ZERO);
        let (cancelled, claimed) = tokio::join!(world.act(&path), claim);
        let granted =
            matches!(claimed.unwrap()[0].answer, scheduler_core::store::transitions::claim::ClaimAnswer::Granted(_));
        let expected = if granted { 202 } else { 200 };
        assert_eq!(cancelled.status, expected, "{cancelled:?}");
    }
}

#[tokio::test]
async fn run_now_moves_the_time_and_wakes_the_populator() {
    let world = World::new().await;
    let id = world.create(json!({"delay_seconds": 3600, "priority": 1})).await;
    let mut hints = world.listen(&[Topic::Due]).await;
    let due = world.act(&format!("/v1/jobs/{id}/run-now")).await.expect(200);
    assert!(due["run_at"].as_str().unwrap() < due["scheduled_for"].as_str().unwrap());
    let Hint::Due(heard) = next_hint(&mut hints).await else { panic!("another hint") };
    assert_eq!((heard[0].member.job, heard[0].priority), (id, 1));
    // Due already: nothing moves.
    let again = world.act(&format!("/v1/jobs/{id}/run-now")).await.expect(200);
    assert_eq!(again["run_at"], due["run_at"]);
    world.executor().await.claim(id).await;
    world.act(&format!("/v1/jobs/{id}/run-now")).await.problem(409, "already_running");
}

#[tokio::test]
async fn run_now_is_for_what_waits_for_a_time() {
    let world = World::new().await;
    let parent = world.create(json!({"delay_seconds": 60})).await;
    let blocked = world.create(json!({"depends_on": [parent]})).await;
    world.act(&format!("/v1/jobs/{blocked}/run-now")).await.problem(409, "not_waiting");
    let failed = seed::JobSeed::failed(world.merchant, 1, true).insert(world.store()).await;
    world.act(&format!("/v1/jobs/{failed}/run-now")).await.problem(409, "not_waiting");
    let done = world.succeeded(json!({})).await;
    let refused = world.act(&format!("/v1/jobs/{done}/run-now")).await.problem(409, "already_finished");
    assert!(refused["detail"].as_str().unwrap().contains("retry"));
}

#[tokio::test]
async fn retry_starts_the_next_attempt_or_makes_a_new_job() {
    let world = World::new().await;
    let backoff =
        seed::JobSeed { state: "retrying", attempt: 2, due_in_seconds: 3600.0, ..seed::JobSeed::due(world.merchant) };
    let retrying = backoff.insert(world.store()).await;
    let due = world.act(&format!("/v1/jobs/{retrying}/retry")).await.expect(200);
    assert_eq!((&due["state"], &due["id"]), (&json!("retrying"), &json!(retrying)));

    let waiting = world.create(json!({"delay_seconds": 60})).await;
    world.act(&format!("/v1/jobs/{waiting}/retry")).await.problem(409, "not_tried_yet");

    let done = world.succeeded(json!({"payload": {"a": 1}, "external_id": "x", "metadata": {"k": "v"}})).await;
    let answer = world.act(&format!("/v1/jobs/{done}/retry")).await;
    let location = answer.header("location").to_owned();
    let new = answer.expect(201);
    let new_id: JobId = new["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(location, format!("/v1/jobs/{new_id}"));
    assert_eq!((&new["redriven_from"], &new["state"], &new["attempt"]), (&json!(done), &json!("scheduled"), &json!(0)));
    assert_eq!(
        (&new["payload"], &new["external_id"], &new["metadata"]),
        (&json!({"a": 1}), &json!("x"), &json!({"k": "v"}))
    );
    let second = world.act(&format!("/v1/jobs/{done}/retry")).await.problem(409, "already_redriven");
    assert_eq!(second["job_id"], new["id"]);
    world.executor().await.claim(new_id).await;
    world.act(&format!("/v1/jobs/{new_id}/retry")).await.problem(409, "already_running");
    world.post("/v1/jobs", job(json!({}))).await.expect(201);
}
