//! Creating and running together for minutes: the rate, whether it stays, and what grows.

use super::backlog::{Backlog, payload, rate};
use super::report::Report;
use super::usage::Meter;
use crate::client::Client;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// The queue of the measurement.
const QUEUE: &str = "bench-steady";
/// Jobs per request, and requests under way at once.
const BATCH: usize = 500;
const PRODUCERS: usize = 2;
/// How far the producers may be ahead of the executors.
const AHEAD: usize = 20_000;
/// The rate is taken over windows of this length.
const WINDOW: Duration = Duration::from_secs(10);

/// Measures for `length`.
pub async fn measure(client: &Client, meter: &Meter, length: Duration) -> anyhow::Result<Report> {
    let backlog = Backlog::paused(client, QUEUE).await?;
    backlog.resume().await?;
    let created = Arc::new(AtomicUsize::new(0));
    let before = meter.read().await?;
    let started = Instant::now();
    let mut producers = JoinSet::new();
    for _ in 0..PRODUCERS {
        producers.spawn(produce(client.clone(), Arc::clone(&created), started + length));
    }
    let mut windows = Vec::new();
    let mut at_last = 0;
    while started.elapsed() < length {
        tokio::time::sleep(WINDOW.min(length)).await;
        let total = created.load(Ordering::Relaxed);
        windows.push(rate(total - at_last, WINDOW.min(length)));
        at_last = total;
    }
    while let Some(produced) = producers.join_next().await {
        produced??;
    }
    backlog.until_empty().await?;
    let took = started.elapsed();
    let total = created.load(Ordering::Relaxed);
    let used = meter.read().await?.since(&before);
    Ok(Report::default()
        .add("measure", "creating and running together")
        .add("seconds", took.as_secs_f64().round())
        .add("jobs", total)
        .add("jobs_per_second", rate(total, took))
        .add("jobs_per_second_of_each_window", windows)
        .usage("job", &used, total))
}

/// Creates until the end, but no more than the executors can follow.
async fn produce(client: Client, created: Arc<AtomicUsize>, end: Instant) -> anyhow::Result<()> {
    let queues = "/v1/queues?limit=200";
    let mut since_look = 0;
    while Instant::now() < end {
        let job = |number| json!({ "queue": QUEUE, "target": { "kind": "noop" }, "payload": payload(number) });
        let first = created.fetch_add(BATCH, Ordering::Relaxed);
        let jobs: Vec<Value> = (first..first + BATCH).map(job).collect();
        client.post("/v1/jobs/batch", &json!({ "jobs": jobs })).await?;
        since_look += BATCH;
        // Counting a queue costs what is in it, so it is done seldom.
        while since_look >= AHEAD / PRODUCERS && Instant::now() < end {
            let answer = client.get(queues, &[]).await?;
            if due(&answer) < AHEAD {
                since_look = 0;
            } else {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    Ok(())
}

/// How many jobs of the measurement's queue are due.
fn due(answer: &Value) -> usize {
    let queues = answer["data"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ours = queues.iter().find(|queue| queue["name"] == QUEUE);
    ours.and_then(|queue| queue["depth"]["due"].as_u64()).and_then(|due| usize::try_from(due).ok()).unwrap_or(0)
}
