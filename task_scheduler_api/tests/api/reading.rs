//! Reading jobs: by id, lists, executions.

use crate::world::{World, job};
use scheduler_core::domain::{ExecutionResult, JobId};
use scheduler_core::store::transitions::verdict::RetryOrder;
use serde_json::{Value, json};
use std::time::Duration;
use test_support::seed;

async fn get(world: &World, id: JobId) -> Value {
    world.get(&format!("/v1/jobs/{id}")).await.expect(200)
}

async fn ids(world: &World, query: &str) -> Vec<String> {
    let page = world.get(&format!("/v1/jobs?{query}")).await.expect(200);
    page["data"].as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_job_shows_its_whole_life() {
    let world = World::new().await;
    let id = world.create(json!({"payload": [1]})).await;
    let executor = world.executor().await;
    let claim = executor.claim(id).await;
    let running = get(&world, id).await;
    assert_eq!((&running["state"], &running["attempt"]), (&json!("running"), &json!(1)));
    assert!(running["started_at"].is_string() && running["session_id"] == executor.session.to_string());

    let result = ExecutionResult {
        response_status: Some(500),
        response_body: b"o\xffps".to_vec(),
        ..ExecutionResult::failure("HTTP 500", true)
    };
    executor.finish(claim, result).await;
    let failed = get(&world, id).await;
    assert_eq!(
        (&failed["state"], &failed["attempt"], &failed["last_error"]),
        (&json!("failed"), &json!(1), &json!("HTTP 500"))
    );
    assert!(failed["started_at"].is_string() && failed["finished_at"].is_null());

    let key = world.store().failed_jobs(None, 10).await.unwrap()[0].key;
    world.store().retry(&[RetryOrder { key, delay: Duration::ZERO }]).await.unwrap();
    assert_eq!(get(&world, id).await["state"], "retrying");
    let claim = executor.claim(id).await;
    assert_eq!(get(&world, id).await["attempt"], 2);
    let running = world.get(&format!("/v1/jobs/{id}/executions")).await.expect(200);
    assert_eq!(
        (&running["data"][0]["response_body"], &running["data"][1]["outcome"]),
        (&json!("o\u{fffd}ps"), &json!(null))
    );

    executor.finish(claim, ExecutionResult::success()).await;
    let done = get(&world, id).await;
    assert_eq!((&done["state"], &done["attempt"], &done["payload"]), (&json!("succeeded"), &json!(2), &json!([1])));
    assert!(done["finished_at"].is_string() && done["started_at"].is_string());
}

#[tokio::test]
async fn executions_page_in_order() {
    let world = World::new().await;
    let id = world.dead(json!({}), "exhausted").await;
    let all = world.get(&format!("/v1/jobs/{id}/executions")).await.expect(200);
    let first = &all["data"][0];
    assert_eq!(
        (&first["attempt"], &first["outcome"], &first["error"]),
        (&json!(1), &json!("failed"), &json!("it broke"))
    );
    assert_eq!(all["next_cursor"], json!(null));
    let done = world.succeeded(json!({})).await;
    let page = world.get(&format!("/v1/jobs/{done}/executions?limit=1")).await.expect(200);
    assert_eq!((&page["data"][0]["outcome"], &page["next_cursor"]), (&json!("succeeded"), &json!(null)));
    let untried = world.create(json!({"delay_seconds": 60})).await;
    assert_eq!(world.get(&format!("/v1/jobs/{untried}/executions")).await.expect(200)["data"], json!([]));
    world.get(&format!("/v1/jobs/{}/executions", uuid::Uuid::nil())).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_dead_job_shows_its_last_start_and_its_reason() {
    let world = World::new().await;
    let dead = get(&world, world.dead(json!({}), "not_retryable").await).await;
    assert_eq!((&dead["state"], &dead["reason"]), (&json!("dead"), &json!("not_retryable")));
    assert!(dead["started_at"].is_string() && dead["session_id"].is_string());
}

#[tokio::test]
async fn lists_are_newest_first_and_page_through_live_and_finished_jobs() {
    let world = World::new().await;
    let mut created = Vec::new();
    for n in 0..7 {
        let id = if n % 2 == 0 {
            world.create(json!({"delay_seconds": 60})).await
        } else {
            world.succeeded(json!({})).await
        };
        created.push(id.to_string());
        // Ids order by the millisecond.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    created.reverse();
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = world.get(&format!("/v1/jobs?limit=3{cursor}")).await.expect(200);
        let data = page["data"].as_array().unwrap();
        seen.extend(data.iter().map(|job| job["id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, created);
}

#[tokio::test]
async fn lists_are_narrowed_by_filters() {
    let world = World::new().await;
    let later = world.create(json!({"delay_seconds": 7200, "queue": "a", "external_id": "x"})).await.to_string();
    let tagged = world.create(json!({"delay_seconds": 60, "metadata": {"tier": "gold", "n": 5}})).await.to_string();
    let dead = world.dead(json!({"queue": "a"}), "exhausted").await.to_string();
    let done = world.succeeded(json!({"external_id": "x"})).await.to_string();
    let running = world.create(json!({})).await;
    world.executor().await.claim(running).await;
    let running = running.to_string();
    let now = seed::database_now(world.store()).await.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let hour = (seed::database_now(world.store()).await + chrono::TimeDelta::hours(1))
        .to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let cases: Vec<(String, Vec<&String>)> = vec![
        ("state=dead".into(), vec![&dead]),
        ("state=running".into(), vec![&running]),
        ("state=scheduled".into(), vec![&tagged, &later]),
        ("state=running,dead&state=succeeded".into(), vec![&running, &done, &dead]),
        ("state=failed,skipped".into(), vec![]),
        ("queue=a".into(), vec![&dead, &later]),
        ("external_id=x".into(), vec![&done, &later]),
        ("external_id=x&state=succeeded".into(), vec![&done]),
        ("tag=tier:gold&tag=n:5".into(), vec![&tagged]),
        ("tag=tier:silver".into(), vec![]),
        (format!("run_after={hour}"), vec![&later]),
        (format!("created_after={now}"), vec![]),
        (format!("created_before={now}&run_before={hour}&state=scheduled"), vec![&tagged]),
        (format!("template_id={}", uuid::Uuid::nil()), vec![]),
    ];
    for (query, expected) in cases {
        let mut found = ids(&world, &query).await;
        let mut expected: Vec<String> = expected.into_iter().cloned().collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{query}");
    }
}

#[tokio::test]
async fn lists_leave_out_large_payloads() {
    let world = World::new().await;
    let id = world.create(json!({"payload": "x".repeat(20_000), "delay_seconds": 60})).await;
    let listed = world.get("/v1/jobs").await.expect(200)["data"][0].clone();
    assert_eq!((&listed["payload"], &listed["payload_omitted"]), (&json!(null), &json!(true)));
    assert_eq!(get(&world, id).await["payload"].as_str().unwrap().len(), 20_000);
}

#[tokio::test]
async fn bad_parameters_are_refused_by_name() {
    let world = World::new().await;
    let cases = [
        ("limit=0", "/limit"),
        ("limit=201", "/limit"),
        ("limit=ten", "/limit"),
        ("cursor=abc", "/cursor"),
        ("state=done", "/state"),
        ("tag=gold", "/tag"),
        ("created_after=monday", "/created_after"),
        ("template_id=7", "/template_id"),
        ("external_id=%00", "/external_id"),
        ("satte=dead", "/satte"),
    ];
    for (query, pointer) in cases {
        world.get(&format!("/v1/jobs?{query}")).await.invalid(pointer);
    }
    assert!(world.get("/v1/jobs?satte=dead").await.invalid("/satte").contains("did you mean `state`"));
}

#[tokio::test]
async fn what_belongs_to_others_is_not_there() {
    let world = World::new().await;
    let (stranger, _) = world.stranger().await;
    let foreign = seed::job(world.store(), stranger).await;
    let unknown = JobId(uuid::Uuid::now_v7());
    for id in [foreign.to_string(), unknown.to_string(), "nonsense".to_owned()] {
        world.get(&format!("/v1/jobs/{id}")).await.problem(404, "not_found");
        world.get(&format!("/v1/jobs/{id}/executions")).await.problem(404, "not_found");
        for action in ["cancel", "retry", "run-now"] {
            world.act(&format!("/v1/jobs/{id}/{action}")).await.problem(404, "not_found");
        }
        world.get(&format!("/v1/dead-letters/{id}")).await.problem(404, "not_found");
        world.act(&format!("/v1/dead-letters/{id}/redrive")).await.problem(404, "not_found");
        world.delete(&format!("/v1/dead-letters/{id}")).await.problem(404, "not_found");
    }
    assert!(ids(&world, "").await.is_empty());
    assert_eq!(seed::stored_state(world.store(), stranger, foreign).await.as_deref(), Some("scheduled"));
    world.post("/v1/jobs", job(json!({}))).await.expect(201);
}
