//! Daemons die, Redis forgets: every job still succeeds, and no attempt's result is accepted twice.

use serde_json::{Value, json};
use std::time::Duration;
use system_tests::cluster::{Cluster, DAEMONS, PATIENCE};
use test_support::{Receiver, Script, eventually};

fn slow_webhook(receiver: &Receiver) -> Value {
    json!({ "target": { "kind": "http", "url": receiver.url("/hook") }, "max_attempts": 20 })
}

/// Shorter leases, so that a lost executor is noticed within a test's patience.
const QUICK_LEASES: [(&str, &str); 2] =
    [("SCHEDULER_SESSION_RENEW_SECONDS", "0.5"), ("SCHEDULER_SESSION_LOST_SECONDS", "2")];

async fn assert_all_succeeded_once(cluster: &Cluster, ids: &[String]) {
    cluster.wait_until_quiet(PATIENCE * 2).await;
    let succeeded = cluster.count("SELECT count(*) FROM jobs_finished WHERE state = 'succeeded'").await;
    assert_eq!(succeeded, ids.len() as i64, "lost or ended otherwise");
    let twice = cluster
        .count("SELECT count(*) FROM (SELECT merchant_id, id FROM jobs_finished GROUP BY 1, 2 HAVING count(*) > 1) d")
        .await;
    assert_eq!(twice, 0, "accepted twice");
    assert_eq!(cluster.count("SELECT count(*) FROM claims").await, 0, "claims left over");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_daemon_may_be_killed_under_load() {
    let (mut cluster, receiver) = (Cluster::start_with(&QUICK_LEASES).await, Receiver::start().await);
    receiver.answer(vec![Script::status(200).delay(Duration::from_millis(30))]);
    let mut ids = Vec::new();
    for (round, daemon) in DAEMONS.into_iter().enumerate() {
        ids.extend(cluster.create_many(slow_webhook(&receiver), 300).await);
        receiver.wait_for(round * 300 + 50, PATIENCE).await;
        cluster.kill(daemon);
        cluster.launch(daemon);
        cluster.wait_until_ready().await;
    }
    assert_all_succeeded_once(&cluster, &ids).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_may_forget_everything_under_load() {
    let (cluster, receiver) = (Cluster::start().await, Receiver::start().await);
    receiver.answer(vec![Script::status(200).delay(Duration::from_millis(20))]);
    let ids = cluster.create_many(slow_webhook(&receiver), 2000).await;
    for part in 1..=4 {
        receiver.wait_for(part * 200, PATIENCE).await;
        // Only our own corner: other tests share the server.
        cluster.redis.forget_everything().await;
    }
    assert_all_succeeded_once(&cluster, &ids).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_that_is_told_to_stop_costs_no_attempt() {
    let (mut cluster, receiver) = (Cluster::start().await, Receiver::start().await);
    receiver.answer(vec![Script::status(200).delay(Duration::from_millis(100))]);
    let ids = cluster.create_many(slow_webhook(&receiver), 1500).await;
    receiver.wait_for(200, PATIENCE).await;
    assert!(cluster.stop("task_executor").await, "the executor did not end cleanly");
    assert_eq!(cluster.count("SELECT count(*) FROM claims").await, 0, "claims left behind");
    cluster.launch("task_executor");
    assert_all_succeeded_once(&cluster, &ids).await;
    let extra = cluster.count("SELECT count(*) FROM jobs_finished WHERE attempt > 1").await;
    assert_eq!(extra, 0, "the drain cost attempts");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_executor_is_noticed_and_its_jobs_run_again() {
    let (mut cluster, receiver) = (Cluster::start_with(&QUICK_LEASES).await, Receiver::start().await);
    receiver.answer(vec![Script::status(200).delay(Duration::from_secs(20)), Script::status(200)]);
    let id = cluster.create(slow_webhook(&receiver)).await;
    receiver.wait_for(1, PATIENCE).await;
    cluster.kill("task_executor");
    let killed = std::time::Instant::now();
    cluster.launch("task_executor");
    receiver.wait_for(2, PATIENCE).await;
    assert!(killed.elapsed() < Duration::from_secs(15), "noticed after {:?}", killed.elapsed());
    let job = cluster.wait_for_state(&id, "succeeded").await;
    assert_eq!((&job["attempt"], &job["crashes"]), (&json!(2), &json!(1)));
    let outcomes = eventually(PATIENCE, || async {
        let executions = cluster.get(&format!("/v1/jobs/{id}/executions")).await;
        let outcomes: Vec<Value> = executions["data"].as_array()?.iter().map(|e| e["outcome"].clone()).collect();
        (outcomes.len() == 2).then_some(outcomes)
    })
    .await;
    assert!(outcomes.contains(&json!("lost")) && outcomes.contains(&json!("succeeded")), "{outcomes:?}");
}
