//! `Idempotency-Key`

use crate::world::{Answer, World, job};
use reqwest::Method;
use serde_json::{Value, json};
use test_support::sql;

async fn create(world: &World, path: &str, key: &str, body: Value) -> Answer {
    Answer::of(world.request(Method::POST, path).header("idempotency-key", key).json(&body)).await
}

async fn live(world: &World) -> i64 {
    sql::number(world.store(), "SELECT count(*) FROM jobs_live").await
}

#[tokio::test]
async fn the_same_request_gets_the_same_answer() {
    let world = World::new().await;
    let first = create(&world, "/v1/jobs", "k", job(json!({"payload": {"a": 1}}))).await;
    assert_eq!(first.header("idempotency-replayed"), "");
    let first = first.expect(201);
    let second = create(&world, "/v1/jobs", "k", job(json!({"payload": {"a": 1}}))).await;
    assert_eq!(second.header("idempotency-replayed"), "true");
    assert_eq!(second.expect(201), first);
    assert_eq!(live(&world).await, 1);
}

#[tokio::test]
async fn another_body_or_path_is_refused_and_another_merchant_is_free() {
    let world = World::new().await;
    create(&world, "/v1/jobs", "k", job(json!({}))).await.expect(201);
    create(&world, "/v1/jobs", "k", job(json!({"priority": 1}))).await.problem(422, "idempotency_key_reused");
    create(&world, "/v1/jobs/batch", "k", json!({"jobs": [job(json!({}))]}))
        .await
        .problem(422, "idempotency_key_reused");
    let (_, stranger) = world.stranger().await;
    let request = world.bare(Method::POST, "/v1/jobs").header("x-api-key", stranger).header("idempotency-key", "k");
    Answer::of(request.json(&job(json!({"priority": 1})))).await.expect(201);
}

#[tokio::test]
async fn the_answer_outlives_the_job() {
    let world = World::new().await;
    let first = create(&world, "/v1/jobs", "k", job(json!({}))).await.expect(201);
    let id = first["id"].as_str().unwrap();
    world.act(&format!("/v1/jobs/{id}/cancel")).await.expect(200);
    assert_eq!(create(&world, "/v1/jobs", "k", job(json!({}))).await.expect(201), first);
    assert_eq!(live(&world).await, 0);
}

#[tokio::test]
async fn concurrent_equal_requests_make_one_job() {
    let world = World::new().await;
    let answers = futures::future::join_all((0..20).map(|_| create(&world, "/v1/jobs", "k", job(json!({}))))).await;
    let replayed = answers.iter().filter(|answer| answer.header("idempotency-replayed") == "true").count();
    let ids: std::collections::BTreeSet<_> =
        answers.into_iter().map(|answer| answer.expect(201)["id"].to_string()).collect();
    assert_eq!((ids.len(), replayed, live(&world).await), (1, 19, 1));
}

#[tokio::test]
async fn of_concurrent_different_requests_with_one_key_one_wins() {
    let world = World::new().await;
    let creates = (0..20).map(|n| create(&world, "/v1/jobs", "k", job(json!({"priority": n % 2}))));
    let answers = futures::future::join_all(creates).await;
    let created = answers.iter().filter(|a| a.status == 201 && a.header("idempotency-replayed") != "true").count();
    assert_eq!((created, live(&world).await), (1, 1));
    assert!(answers.iter().all(|answer| [201, 422, 503].contains(&answer.status.as_u16())));
}

#[tokio::test]
async fn an_expired_key_is_free_again() {
    let world = World::new().await;
    create(&world, "/v1/jobs", "k", job(json!({}))).await.expect(201);
    sql::execute(world.store(), "UPDATE idempotency_keys SET expires_at = clock_timestamp() - interval '1 s'").await;
    let again = create(&world, "/v1/jobs", "k", job(json!({"priority": 1}))).await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (201, ""));
    assert_eq!(live(&world).await, 2);
    create(&world, "/v1/jobs", "k", job(json!({}))).await.problem(422, "idempotency_key_reused");
}

#[tokio::test]
async fn a_refused_job_leaves_no_key() {
    let world = World::new().await;
    let holder = world.create(json!({"dedupe_key": "d", "delay_seconds": 60})).await;
    let body = job(json!({"dedupe_key": "d"}));
    create(&world, "/v1/jobs", "k", body.clone()).await.problem(409, "duplicate_job");
    assert_eq!(sql::number(world.store(), "SELECT count(*) FROM idempotency_keys").await, 0);
    world.act(&format!("/v1/jobs/{holder}/cancel")).await.expect(200);
    let created = create(&world, "/v1/jobs", "k", body.clone()).await.expect(201);
    // The key is asked first: the repeated request is no duplicate of itself.
    assert_eq!(create(&world, "/v1/jobs", "k", body).await.expect(201), created);
}

#[tokio::test]
async fn batches_and_children_have_keys_too() {
    let world = World::new().await;
    let batch = json!({"jobs": [job(json!({})), job(json!({}))]});
    let first = create(&world, "/v1/jobs/batch", "b", batch.clone()).await.expect(201);
    let second = create(&world, "/v1/jobs/batch", "b", batch).await;
    assert_eq!(second.header("idempotency-replayed"), "true");
    assert_eq!(second.expect(201), first);
    let child = job(json!({"depends_on": [first["jobs"][0]["id"]]}));
    let first = create(&world, "/v1/jobs", "c", child.clone()).await.expect(201);
    assert_eq!(first["state"], "blocked");
    assert_eq!(create(&world, "/v1/jobs", "c", child).await.expect(201), first);
    assert_eq!(live(&world).await, 3);
}

#[tokio::test]
async fn a_key_must_be_readable() {
    let world = World::new().await;
    for key in ["", "   ", &"x".repeat(257)] {
        create(&world, "/v1/jobs", key, job(json!({}))).await.problem(400, "bad_idempotency_key");
    }
}
