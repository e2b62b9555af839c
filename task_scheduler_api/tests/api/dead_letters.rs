//! Dead letters.

use crate::world::{World, next_hint};
use scheduler_core::domain::{ExecutionResult, JobId};
use scheduler_core::queue::Hint;
use scheduler_core::queue::hints::Topic;
use serde_json::{Value, json};
use test_support::{seed, sql};

async fn listed(world: &World, query: &str) -> Vec<Value> {
    world.get(&format!("/v1/dead-letters?{query}")).await.expect(200)["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn dead_letters_are_listed_and_read() {
    let world = World::new().await;
    let old = world.dead(json!({"queue": "a"}), "exhausted").await;
    let new = world.dead(json!({"queue": "b"}), "not_retryable").await;
    world.succeeded(json!({})).await;
    assert_eq!(listed(&world, "").await.len(), 2);
    for (query, id) in [("queue=a", old), ("reason=not_retryable", new)] {
        let found = listed(&world, query).await;
        assert_eq!((found.len(), &found[0]["id"]), (1, &json!(id)), "{query}");
    }
    let now = seed::database_now(world.store()).await.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    assert_eq!(
        (listed(&world, &format!("before={now}")).await.len(), listed(&world, &format!("after={now}")).await.len()),
        (2, 0)
    );
    let letter = world.get(&format!("/v1/dead-letters/{old}")).await.expect(200);
    assert_eq!((&letter["state"], &letter["redriven_as"]), (&json!("dead"), &json!([])));
    world.get("/v1/dead-letters?reason=bored").await.invalid("/reason");
    let done = world.succeeded(json!({})).await;
    world.get(&format!("/v1/dead-letters/{done}")).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_redrive_is_a_new_job_and_the_dead_one_shows_it() {
    let world = World::new().await;
    let dead = world
        .dead(json!({"payload": [1], "max_attempts": 3, "start_deadline_seconds": 500, "priority": 4}), "exhausted")
        .await;
    let mut hints = world.listen(&[Topic::Due]).await;
    let new = world.act(&format!("/v1/dead-letters/{dead}/redrive")).await.expect(201);
    assert_eq!((&new["redriven_from"], &new["attempt"], &new["max_attempts"]), (&json!(dead), &json!(0), &json!(3)));
    assert_eq!((&new["payload"], &new["priority"], &new["last_error"]), (&json!([1]), &json!(4), &json!(null)));
    assert!(new["start_deadline_at"].as_str().unwrap() > new["run_at"].as_str().unwrap());
    let Hint::Due(heard) = next_hint(&mut hints).await else { panic!("another hint") };
    assert_eq!(json!(heard[0].member.job), new["id"]);

    let second = world.act(&format!("/v1/dead-letters/{dead}/redrive")).await.problem(409, "already_redriven");
    assert_eq!(second["job_id"], new["id"]);
    let letter = world.get(&format!("/v1/dead-letters/{dead}")).await.expect(200);
    assert_eq!((&letter["state"], &letter["redriven_as"]), (&json!("dead"), &json!([new["id"]])));
    assert_eq!((listed(&world, "redriven=true").await.len(), listed(&world, "redriven=false").await.len()), (1, 0));

    // Once the redrive has ended there may be another.
    let id: JobId = new["id"].as_str().unwrap().parse().unwrap();
    let executor = world.executor().await;
    executor.finish(executor.claim(id).await, ExecutionResult::success()).await;
    world.act(&format!("/v1/dead-letters/{dead}/redrive")).await.expect(201);
    let letter = world.get(&format!("/v1/dead-letters/{dead}")).await.expect(200);
    assert_eq!(letter["redriven_as"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_redrive_keeps_to_dedupe_keys() {
    let world = World::new().await;
    let dead = world.dead(json!({"dedupe_key": "d"}), "exhausted").await;
    let holder = world.create(json!({"dedupe_key": "d", "delay_seconds": 60})).await;
    let refused = world.act(&format!("/v1/dead-letters/{dead}/redrive")).await.problem(409, "duplicate_job");
    assert_eq!(refused["job_id"], holder.to_string());
}

#[tokio::test]
async fn many_are_redriven_by_filter_each_once() {
    let world = World::new().await;
    for _ in 0..3 {
        world.dead(json!({"queue": "a"}), "exhausted").await;
    }
    world.dead(json!({"queue": "b"}), "exhausted").await;
    world.dead(json!({"queue": "a"}), "not_retryable").await;
    let filter = json!({"queue": "a", "reason": "exhausted", "limit": 2});
    let first = world.post("/v1/dead-letters/redrive", filter.clone()).await.expect(200);
    assert_eq!((&first["redriven"], first["jobs"].as_array().unwrap().len()), (&json!(2), 2));
    let job = world.get(&format!("/v1/jobs/{}", first["jobs"][0]["id"].as_str().unwrap())).await.expect(200);
    assert_eq!((&job["redriven_from"], &job["queue"]), (&first["jobs"][0]["redriven_from"], &json!("a")));
    assert_eq!(world.post("/v1/dead-letters/redrive", filter.clone()).await.expect(200)["redriven"], 1);
    assert_eq!(world.post("/v1/dead-letters/redrive", filter).await.expect(200)["redriven"], 0);
    assert_eq!(world.post("/v1/dead-letters/redrive", json!({})).await.expect(200)["redriven"], 2);
    world.post("/v1/dead-letters/redrive", json!({"limit": 0})).await.invalid("/limit");
    world.post("/v1/dead-letters/redrive", json!({"queeu": "a"})).await.invalid("/queeu");
}

#[tokio::test]
async fn purged_letters_are_gone_with_their_executions() {
    let world = World::new().await;
    let one = world.dead(json!({"queue": "a"}), "exhausted").await;
    let two = world.dead(json!({"queue": "b"}), "exhausted").await;
    let done = world.succeeded(json!({"queue": "b"})).await;
    world.delete(&format!("/v1/dead-letters/{one}")).await.expect(204);
    world.get(&format!("/v1/jobs/{one}")).await.problem(404, "not_found");
    world.delete(&format!("/v1/dead-letters/{one}")).await.problem(404, "not_found");
    world.delete(&format!("/v1/dead-letters/{done}")).await.problem(404, "not_found");
    world.post("/v1/dead-letters/purge", json!({"limit": 10})).await.invalid("");
    assert_eq!(world.post("/v1/dead-letters/purge", json!({"queue": "b"})).await.expect(200)["purged"], 1);
    world.get(&format!("/v1/jobs/{two}")).await.problem(404, "not_found");
    world.get(&format!("/v1/jobs/{done}")).await.expect(200);
    assert_eq!(sql::number(world.store(), "SELECT count(*) FROM executions").await, 0);
}
