//! A backlog of no-op jobs: created in bulk while their queue is paused, then drained.

use super::backlog::{Backlog, payload, rate};
use super::report::Report;
use super::usage::Meter;
use crate::client::Client;
use serde_json::json;

/// The queue of the measurement.
const QUEUE: &str = "bench";

/// Measures.
pub async fn measure(client: &Client, meter: &Meter, jobs: usize) -> anyhow::Result<Report> {
    let backlog = Backlog::paused(client, QUEUE).await?;
    let job = |number| json!({ "queue": QUEUE, "target": { "kind": "noop" }, "payload": payload(number) });
    let before = meter.read().await?;
    let create_took = backlog.fill(jobs, job).await?;
    let created = meter.read().await?;
    let resumed = backlog.resume().await?;
    backlog.until_empty().await?;
    let drained = resumed.elapsed();
    let report = Report::default()
        .add("measure", "bulk create, then drain no-op jobs")
        .add("jobs", jobs)
        .add("created_per_second", rate(jobs, create_took))
        .add("drain_seconds_from_resume", drained.as_secs_f64())
        .add("drained_per_second", rate(jobs, drained));
    Ok(report.usage("create", &created.since(&before), jobs).usage("drain", &meter.read().await?.since(&created), jobs))
}
