//! A backlog of webhooks to a receiver on this computer.

use super::backlog::{Backlog, payload, rate};
use super::report::Report;
use super::sink::Sink;
use super::usage::Meter;
use crate::client::Client;
use serde_json::json;

/// The queue of the measurement.
const QUEUE: &str = "bench-webhooks";

/// Measures from the resume of the queue until the last job has ended.
pub async fn measure(client: &Client, meter: &Meter, jobs: usize) -> anyhow::Result<Report> {
    let sink = Sink::start(jobs).await?;
    let backlog = Backlog::paused(client, QUEUE).await?;
    let job = |number| json!({ "queue": QUEUE, "target": { "kind": "http", "url": sink.url(number) }, "payload": payload(number) });
    backlog.fill(jobs, job).await?;
    let before = meter.read().await?;
    let resumed = backlog.resume().await?;
    backlog.until_empty().await?;
    let took = resumed.elapsed();
    let used = meter.read().await?.since(&before);
    anyhow::ensure!(sink.received() == jobs, "{} of {jobs} webhooks arrived", sink.received());
    Ok(Report::default()
        .add("measure", "webhooks to a receiver on this computer")
        .add("jobs", jobs)
        .add("delivered_per_second", rate(jobs, took))
        .usage("deliver", &used, jobs))
}
