//! `POST /v1/jobs/batch`

use crate::world::{World, job};
use serde_json::{Value, json};
use test_support::sql;

fn batch(jobs: Vec<Value>) -> Value {
    json!({ "jobs": jobs })
}

#[tokio::test]
async fn all_jobs_are_created_in_order_with_one_commit() {
    let world = World::new().await;
    let jobs = (0..1000).map(|n| job(json!({"external_id": n.to_string(), "queue": format!("q{}", n % 3)}))).collect();
    let created = world.post("/v1/jobs/batch", batch(jobs)).await.expect(201);
    let ids = created["jobs"].as_array().unwrap();
    assert_eq!(ids.len(), 1000);
    let last = world.get(&format!("/v1/jobs/{}", ids[999]["id"].as_str().unwrap())).await.expect(200);
    assert_eq!((&last["external_id"], &last["queue"]), (&json!("999"), &json!("q0")));
    assert_eq!(sql::number(world.store(), "SELECT count(DISTINCT xmin::text) FROM jobs_live").await, 1);
    assert_eq!(sql::number(world.store(), "SELECT count(*) FROM queues").await, 3);
}

#[tokio::test]
async fn one_bad_job_refuses_them_all_and_is_pointed_at() {
    let world = World::with(|settings| settings.api.batch_max_jobs = 20).await;
    let with = |index: usize, bad: Value| {
        let mut jobs = vec![job(json!({})); 19];
        jobs[index] = bad;
        world.post("/v1/jobs/batch", batch(jobs))
    };
    let http = |url: &str| json!({"target": {"kind": "http", "url": url}});
    with(17, http("nowhere")).await.invalid("/jobs/17/target/url");
    with(17, json!({"target": {"kind": "http", "url": 5}})).await.invalid("/jobs/17/target/url");
    with(3, job(json!({"priority": -1}))).await.invalid("/jobs/3/priority");
    with(3, job(json!({"prority": 1}))).await.invalid("/jobs/3/prority");
    with(5, job(json!({"depends_on": [uuid::Uuid::nil()]}))).await.invalid("/jobs/5/depends_on/0");
    let holder = world.create(json!({"dedupe_key": "d", "delay_seconds": 9})).await;
    let duplicate = with(7, job(json!({"dedupe_key": "d"}))).await.problem(409, "duplicate_job");
    assert_eq!(
        (&duplicate["job_id"], &duplicate["errors"][0]["pointer"]),
        (&json!(holder), &json!("/jobs/7/dedupe_key"))
    );
    let twice = vec![job(json!({"dedupe_key": "e"})), job(json!({"dedupe_key": "e"}))];
    let twice = world.post("/v1/jobs/batch", batch(twice)).await.problem(409, "duplicate_job");
    assert_eq!((twice.get("job_id"), &twice["errors"][0]["pointer"]), (None, &json!("/jobs/1/dedupe_key")));
    assert!(twice["detail"].as_str().unwrap().starts_with("two jobs of the batch"), "{twice}");
    assert_eq!(sql::number(world.store(), "SELECT count(*) FROM jobs_live").await, 1);
}

#[tokio::test]
async fn the_number_of_jobs_is_bounded() {
    let world = World::with(|settings| settings.api.batch_max_jobs = 3).await;
    world.post("/v1/jobs/batch", batch(vec![])).await.invalid("/jobs");
    world.post("/v1/jobs/batch", batch(vec![job(json!({})); 4])).await.invalid("/jobs");
    world.post("/v1/jobs/batch", json!({"job": []})).await.invalid("/job");
    world.post("/v1/jobs/batch", batch(vec![job(json!({})); 3])).await.expect(201);
}
