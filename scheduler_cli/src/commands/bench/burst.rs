//! Very many jobs due in the same second, and how the few that another queue has at another priority fare beside them.

use super::backlog::{BATCH, rate};
use super::report::{Report, Waits};
use super::sink::Sink;
use crate::client::Client;
use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use scheduler_core::clock::Clock;
use serde_json::{Value, json};
use std::time::Duration;

/// The queue of the crowd, and that of the others.
const CROWD: &str = "bench-burst";
const OTHERS: &str = "bench-beside";
/// The others are due at this distance, from one second before the burst until they are used up.
const GAP: TimeDelta = TimeDelta::milliseconds(20);
/// How many they are.
const BESIDE: usize = 300;
/// Creating a job takes no longer than this, as far as the time of the burst is concerned.
const PER_JOB: Duration = Duration::from_micros(150);
/// How long the burst may take.
const LIMIT: Duration = Duration::from_secs(300);

/// Measures.
pub async fn measure(client: &Client, jobs: usize) -> anyhow::Result<Report> {
    let sink = Sink::start(BESIDE).await?;
    let now = || Clock::local().now();
    let due = now() + PER_JOB * u32::try_from(jobs)? + TimeDelta::seconds(5);
    let crowd = |_| json!({ "queue": CROWD, "priority": 5, "target": { "kind": "noop" }, "run_at": due });
    create(client, jobs, crowd).await?;
    let due_of = |number: usize| due - TimeDelta::seconds(1) + GAP * i32::try_from(number).unwrap_or(i32::MAX);
    let beside = |number| {
        let target = json!({ "kind": "http", "url": sink.url(number) });
        json!({ "queue": OTHERS, "priority": 2, "target": target, "run_at": due_of(number) })
    };
    create(client, BESIDE, beside).await?;
    anyhow::ensure!(now() < due, "creating {jobs} jobs took longer than expected; use fewer --jobs");
    let drained = until_over(client, due).await?;
    let mut waits = Waits::new()?;
    for number in 0..BESIDE {
        let arrival = sink.wait_for(number, LIMIT).await?;
        waits.add_micros((arrival.utc - due_of(number)).num_microseconds().unwrap_or(i64::MAX));
    }
    Ok(Report::default()
        .add(
            "measure",
            "jobs due in the same second; beside them, 50 webhooks/s at a higher priority: due → receiver called",
        )
        .add("jobs", jobs)
        .add("all_ended_after_seconds", drained.as_secs_f64())
        .add("per_second", rate(jobs, drained))
        .waits(&waits))
}

async fn create(client: &Client, count: usize, job: impl Fn(usize) -> Value) -> anyhow::Result<()> {
    for first in (0..count).step_by(BATCH) {
        let jobs: Vec<Value> = (first..count.min(first + BATCH)).map(&job).collect();
        client.post("/v1/jobs/batch", &json!({ "jobs": jobs })).await?;
    }
    Ok(())
}

/// Waits until the crowd has ended; how long after its time that was.
async fn until_over(client: &Client, due: DateTime<Utc>) -> anyhow::Result<Duration> {
    let live = [("queue", CROWD.to_owned()), ("state", "scheduled,running".to_owned()), ("limit", "1".to_owned())];
    let clock = Clock::local();
    clock.sleep_until(due).await;
    let over = async {
        loop {
            let answer = client.get("/v1/jobs", &live).await?;
            if answer["data"].as_array().is_some_and(Vec::is_empty) {
                return anyhow::Ok((clock.now() - due).to_std().unwrap_or_default());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LIMIT, over).await.context("the burst was not worked off in time")?
}
