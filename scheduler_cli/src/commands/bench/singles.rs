//! Single creates: many clients that each keep one connection and wait for each answer, which follows the commit.

use super::backlog::{Backlog, payload, rate};
use super::report::{Report, Waits};
use super::usage::Meter;
use crate::client::Client;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use tokio::task::JoinSet;

/// The queue of the measurement; paused, so that creating is all that goes on.
const QUEUE: &str = "bench-singles";

/// Measures.
pub async fn measure(client: &Client, meter: &Meter, jobs: usize, clients: usize) -> anyhow::Result<Report> {
    let backlog = Backlog::paused(client, QUEUE).await?;
    let next = Arc::new(AtomicUsize::new(0));
    let before = meter.read().await?;
    let started = Instant::now();
    let mut producers: JoinSet<anyhow::Result<Vec<_>>> = JoinSet::new();
    for _ in 0..clients {
        producers.spawn(produce(client.clone(), Arc::clone(&next), jobs));
    }
    let mut waits = Waits::new()?;
    while let Some(produced) = producers.join_next().await {
        produced??.into_iter().for_each(|wait| waits.add(wait));
    }
    let took = started.elapsed();
    let used = meter.read().await?.since(&before);
    backlog.resume().await?;
    backlog.until_empty().await?;
    Ok(Report::default()
        .add("measure", "single creates")
        .add("jobs", jobs)
        .add("clients", clients)
        .add("created_per_second", rate(jobs, took))
        .waits(&waits)
        .usage("create", &used, jobs))
}

/// One client: creates until all numbers are taken; how long each answer took.
async fn produce(client: Client, next: Arc<AtomicUsize>, jobs: usize) -> anyhow::Result<Vec<std::time::Duration>> {
    let mut waits = Vec::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= jobs {
            return Ok(waits);
        }
        let body = json!({ "queue": QUEUE, "target": { "kind": "noop" }, "payload": payload(number) });
        let called = Instant::now();
        client.post("/v1/jobs", &body).await?;
        waits.push(called.elapsed());
    }
}
