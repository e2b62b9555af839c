//! A backlog of no-op jobs: created in bulk while their queue is paused, then drained.

use super::report::Report;
use crate::client::Client;
use anyhow::Context as _;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Jobs per batch request.
const BATCH: usize = 1000;
/// The queue of the measurement.
const QUEUE: &str = "bench";
/// How long a drain may take.
const LIMIT: Duration = Duration::from_secs(300);

/// Measures.
pub async fn measure(client: &Client, jobs: usize) -> anyhow::Result<Report> {
    let act = async |verb: &str| client.post(&format!("/v1/queues/{QUEUE}/{verb}"), &json!({})).await;
    // A queue exists once a job has named it.
    client.post("/v1/jobs", &json!({ "queue": QUEUE, "target": { "kind": "noop" } })).await?;
    wait_until_empty(client).await?;
    act("pause").await?;
    let create_started = Instant::now();
    let created = create(client, jobs).await;
    let create_took = create_started.elapsed();
    act("resume").await?;
    created?;
    let resumed = Instant::now();
    wait_until_empty(client).await?;
    let drained = resumed.elapsed();
    let rate = |took: Duration| (jobs as f64 / took.as_secs_f64()).round();
    Ok(Report::default()
        .add("measure", "bulk create, then drain no-op jobs")
        .add("jobs", jobs)
        .add("created_per_second", rate(create_took))
        .add("drain_seconds_from_resume", drained.as_secs_f64())
        .add("drained_per_second", rate(drained)))
}

/// Creates the backlog.
async fn create(client: &Client, jobs: usize) -> anyhow::Result<()> {
    let job = json!({ "queue": QUEUE, "target": { "kind": "noop" }, "payload": { "text": "x".repeat(180) } });
    for start in (0..jobs).step_by(BATCH) {
        let batch: Vec<&Value> = std::iter::repeat_n(&job, BATCH.min(jobs - start)).collect();
        client.post("/v1/jobs/batch", &json!({ "jobs": batch })).await?;
    }
    Ok(())
}

async fn wait_until_empty(client: &Client) -> anyhow::Result<()> {
    let live = [
        ("queue", QUEUE.to_owned()),
        ("state", "scheduled,running,failed,retrying".to_owned()),
        ("limit", "1".to_owned()),
    ];
    let empty = async {
        loop {
            let answer = client.get("/v1/jobs", &live).await?;
            if answer["data"].as_array().is_some_and(Vec::is_empty) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LIMIT, empty).await.context("the queue was not drained in time")?
}
