//! A backlog of no-op jobs: created in bulk while their queue is paused, then drained.

use super::report::Report;
use crate::client::Client;
use anyhow::Context as _;
use chrono::{DateTime, Utc};
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
    let first = create(client, jobs).await;
    let create_took = create_started.elapsed();
    act("resume").await?;
    let first = first?;
    let resumed = Instant::now();
    wait_until_empty(client).await?;
    let drained = resumed.elapsed();
    let span = run_span(client, &first).await?;
    let rate = |took: Duration| (jobs as f64 / took.as_secs_f64()).round();
    Ok(Report::default()
        .add("measure", "bulk create, then drain no-op jobs")
        .add("jobs", jobs)
        .add("created_per_second", rate(create_took))
        .add("drain_seconds_from_resume", drained.as_secs_f64())
        .add("drain_seconds_from_first_start", span.as_secs_f64())
        .add("drained_per_second", rate(span)))
}

/// Creates the backlog; returns the id of the first job.
async fn create(client: &Client, jobs: usize) -> anyhow::Result<String> {
    let job = json!({ "queue": QUEUE, "target": { "kind": "noop" }, "payload": { "text": "x".repeat(180) } });
    let mut first = None;
    for start in (0..jobs).step_by(BATCH) {
        let batch: Vec<&Value> = std::iter::repeat_n(&job, BATCH.min(jobs - start)).collect();
        let answer = client.post("/v1/jobs/batch", &json!({ "jobs": batch })).await?;
        first = first.or_else(|| answer["jobs"][0]["id"].as_str().map(str::to_owned));
    }
    first.context("the batch answer has no ids")
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

/// From the start of the first job to the end of the one that ended last (of the newest page: they are claimed in order).
async fn run_span(client: &Client, first: &str) -> anyhow::Result<Duration> {
    let time = |job: &Value, field: &str| job[field].as_str().and_then(|text| text.parse::<DateTime<Utc>>().ok());
    let first = client.get(&format!("/v1/jobs/{first}"), &[]).await?;
    let newest = client.get("/v1/jobs", &[("queue", QUEUE.to_owned()), ("limit", "200".to_owned())]).await?;
    let last = newest["data"].as_array().into_iter().flatten().filter_map(|job| time(job, "finished_at")).max();
    let (start, end) = (time(&first, "started_at"), last);
    let span = end.context("no job has finished")? - start.context("the first job has not started")?;
    span.to_std().context("the last job ended before the first began")
}
