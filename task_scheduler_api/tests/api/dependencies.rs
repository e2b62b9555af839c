//! `depends_on`

use crate::world::{World, job};
use scheduler_core::domain::ExecutionResult;
use serde_json::{Value, json};
use test_support::sql;
use uuid::Uuid;

async fn child(world: &World, parents: Value, rest: Value) -> Value {
    let mut fields = json!({ "depends_on": parents });
    fields.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    world.post("/v1/jobs", job(fields)).await.expect(201)
}

#[tokio::test]
async fn a_child_waits_for_live_parents() {
    let world = World::new().await;
    let parent = world.create(json!({"delay_seconds": 60})).await;
    let child = child(&world, json!([parent, parent]), json!({})).await;
    assert_eq!((&child["state"], &child["run_if"]), (&json!("blocked"), &json!("all_succeeded")));
    assert_eq!(world.get(&format!("/v1/jobs/{}", child["id"].as_str().unwrap())).await.expect(200), child);
    assert_eq!(sql::number(world.store(), "SELECT count(*) FROM job_dependencies").await, 1);
    let marked = format!("SELECT count(*) FROM jobs_live WHERE has_dependents AND id = '{parent}'");
    assert_eq!(sql::number(world.store(), &marked).await, 1);
    // The end of the parent is announced to whoever judges the child.
    world.act(&format!("/v1/jobs/{parent}/cancel")).await.expect(200);
    assert_eq!(sql::number(world.store(), "SELECT count(*) FROM parent_endings").await, 1);
}

#[tokio::test]
async fn finished_parents_are_judged_at_once() {
    let world = World::new().await;
    let done = world.succeeded(json!({})).await;
    let dead = world.dead(json!({}), "exhausted").await;
    assert_eq!(child(&world, json!([done]), json!({})).await["state"], "scheduled");
    assert_eq!(child(&world, json!([done, dead]), json!({"run_if": "all_finished"})).await["state"], "scheduled");
    let skipped = child(&world, json!([done, dead]), json!({})).await;
    assert_eq!((&skipped["state"], &skipped["reason"]), (&json!("skipped"), &json!("dependency_failed")));
    assert_eq!(skipped["finished_at"], skipped["created_at"]);
    assert_eq!(world.get(&format!("/v1/jobs/{}", skipped["id"].as_str().unwrap())).await.expect(200), skipped);
}

#[tokio::test]
async fn parents_must_exist_and_belong_to_the_merchant() {
    let world = World::new().await;
    let parent = world.create(json!({"delay_seconds": 60})).await;
    let (stranger, _) = world.stranger().await;
    let foreign = test_support::seed::job(world.store(), stranger).await;
    for unknown in [Uuid::nil(), foreign.0] {
        let refused = world.post("/v1/jobs", job(json!({"depends_on": [parent, unknown]}))).await;
        refused.invalid("/depends_on/1");
    }
    assert_eq!(sql::number(world.store(), "SELECT count(*) FROM jobs_live WHERE has_dependents").await, 0);
}

#[tokio::test]
async fn a_parent_that_ends_meanwhile_is_not_missed() {
    let world = World::new().await;
    for _ in 0..10 {
        let parent = world.create(json!({})).await;
        let executor = world.executor().await;
        let claim = executor.claim(parent).await;
        let (child, ()) = tokio::join!(
            child(&world, json!([parent]), json!({})),
            executor.finish(claim, ExecutionResult::success()),
        );
        let announced = format!("SELECT count(*) FROM parent_endings WHERE parent_id = '{parent}'");
        let announced = sql::number(world.store(), &announced).await == 1;
        // Either the creation saw the end, or the end is announced.
        assert_eq!(child["state"] == "blocked", announced, "{child}");
    }
}
