//! The whole way: create over HTTP, a webhook arrives, the result is there.

use serde_json::{Value, json};
use std::time::Duration;
use system_tests::cluster::{Cluster, PATIENCE};
use test_support::{Receiver, Script};

fn webhook(receiver: &Receiver) -> Value {
    json!({ "target": { "kind": "http", "url": receiver.url("/hook") }, "payload": { "hello": "world" } })
}

fn with(mut body: Value, field: &str, value: Value) -> Value {
    body[field] = value;
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_becomes_a_webhook_and_a_record() {
    let (cluster, receiver) = (Cluster::start().await, Receiver::start().await);
    let id = cluster.create(webhook(&receiver)).await;
    let delivery = receiver.wait_for(1, PATIENCE).await.remove(0);
    assert_eq!(delivery.header("x-job-id"), id);
    assert_eq!(delivery.header("idempotency-key"), id);
    assert_eq!(delivery.header("x-attempt"), "1");
    assert_eq!(serde_json::from_slice::<Value>(&delivery.body).unwrap(), json!({ "hello": "world" }));
    let job = cluster.wait_for_state(&id, "succeeded").await;
    assert_eq!(job["attempt"], 1);
    let executions = cluster.get(&format!("/v1/jobs/{id}/executions")).await;
    assert_eq!(executions["data"].as_array().unwrap().len(), 1);
    assert_eq!(executions["data"][0]["id"], delivery.header("x-execution-id"));
    assert_eq!(executions["data"][0]["outcome"], "succeeded");
    assert_eq!(executions["data"][0]["response_status"], 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_job_arrives_on_its_moment_and_never_before() {
    let (cluster, receiver) = (Cluster::start().await, Receiver::start().await);
    let id = cluster.create(with(webhook(&receiver), "delay_seconds", json!(2))).await;
    receiver.wait_for(1, PATIENCE).await;
    let job = cluster.wait_for_state(&id, "succeeded").await;
    let time = |field: &str| job[field].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    let late = time("started_at") - time("run_at");
    assert!(late >= chrono::TimeDelta::zero(), "{late} early");
    assert!(late < chrono::TimeDelta::seconds(1), "{late} late");
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_retried_with_growing_gaps_then_dead_and_redriven() {
    let (cluster, receiver) = (Cluster::start().await, Receiver::start().await);
    receiver.answer(vec![Script::status(500).body("broken"); 4].into_iter().chain([Script::status(200)]).collect());
    let mut body = with(webhook(&receiver), "max_attempts", json!(4));
    body["backoff"] = json!({ "kind": "exponential", "initial_seconds": 0.2, "factor": 3, "jitter": "none" });
    let id = cluster.create(body).await;
    let dead = cluster.wait_for_state(&id, "dead").await;
    assert_eq!((&dead["reason"], &dead["attempt"]), (&json!("exhausted"), &json!(4)));
    let times: Vec<_> = receiver.deliveries().iter().map(|delivery| delivery.at).collect();
    let gaps: Vec<Duration> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (gap, least) in gaps.iter().zip([0.2, 0.6, 1.8]) {
        assert!(gap.as_secs_f64() >= least, "{gaps:?}");
    }
    let letters = cluster.get("/v1/dead-letters").await;
    assert_eq!(letters["data"][0]["id"], id.as_str());
    let again = cluster.post(&format!("/v1/dead-letters/{id}/redrive"), json!({})).await;
    assert_eq!(again["redriven_from"], id.as_str());
    cluster.wait_for_state(again["id"].as_str().unwrap(), "succeeded").await;
    assert_eq!(cluster.job(&id).await["state"], "dead");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_fires_every_second() {
    let (cluster, receiver) = (Cluster::start().await, Receiver::start().await);
    let template = cluster
        .post(
            "/v1/templates",
            json!({
                "name": "ticker",
                "schedule": { "kind": "cron", "expression": "* * * * * *" },
                "job": webhook(&receiver),
                "overlap": "allow_all",
            }),
        )
        .await;
    let deliveries = receiver.wait_for(4, PATIENCE).await;
    let mut nominal: Vec<_> = deliveries.iter().map(|delivery| delivery.header("x-scheduled-for").to_owned()).collect();
    nominal.sort();
    nominal.dedup();
    assert_eq!(nominal.len(), deliveries.len(), "a nominal time ran twice: {nominal:?}");
    let occurrences = cluster.get(&format!("/v1/templates/{}/occurrences", template["id"].as_str().unwrap())).await;
    assert!(occurrences["data"].as_array().unwrap().len() >= 4, "{occurrences}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_runs_in_order() {
    let (cluster, receiver) = (Cluster::start().await, Receiver::start().await);
    let body = |name: &str, parents: &[&str]| {
        json!({
            "target": { "kind": "http", "url": receiver.url(&format!("/{name}")) },
            "delay_seconds": if parents.is_empty() { 0.5 } else { 0.0 },
            "depends_on": parents,
        })
    };
    let first = cluster.create(body("first", &[])).await;
    let left = cluster.create(body("left", &[&first])).await;
    let right = cluster.create(body("right", &[&first])).await;
    let last = cluster.create(body("last", &[&left, &right])).await;
    assert_eq!(cluster.job(&last).await["state"], "blocked");
    cluster.wait_for_state(&last, "succeeded").await;
    let order: Vec<_> = receiver.deliveries().iter().map(|delivery| delivery.uri.path().to_owned()).collect();
    assert_eq!((order[0].as_str(), order[3].as_str(), order.len()), ("/first", "/last", 4), "{order:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_job_is_cancelled_within_two_seconds() {
    let (cluster, receiver) = (Cluster::start().await, Receiver::start().await);
    receiver.answer(vec![Script::status(200).delay(Duration::from_secs(25))]);
    let id = cluster.create(webhook(&receiver)).await;
    receiver.wait_for(1, PATIENCE).await;
    let asked = std::time::Instant::now();
    let (status, _) = cluster.call(reqwest::Method::POST, &format!("/v1/jobs/{id}/cancel"), Some(json!({}))).await;
    assert_eq!(status, 202);
    cluster.wait_for_state(&id, "cancelled").await;
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
}
