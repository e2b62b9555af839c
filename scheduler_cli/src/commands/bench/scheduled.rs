//! Due → receiver called, at a steady rate. Scheduler, receiver and this process share one computer's clock.

use super::report::{Report, Waits};
use super::sink::Sink;
use crate::client::Client;
use chrono::{DateTime, TimeDelta, Utc};
use scheduler_core::clock::Clock;
use serde_json::{Value, json};
use std::time::Duration;

/// The first job is due this long after all have been created.
const LEAD: TimeDelta = TimeDelta::seconds(3);
/// Jobs per batch request.
const BATCH: usize = 500;

/// Measures.
pub async fn measure(client: &Client, rate: usize, seconds: usize) -> anyhow::Result<Report> {
    anyhow::ensure!(
        (1..=10_000).contains(&rate) && (1..=600).contains(&seconds),
        "--rate must be from 1 to 10000, --seconds from 1 to 600"
    );
    let count = rate * seconds;
    let sink = Sink::start(count).await?;
    let start = Clock::local().now() + LEAD;
    let due = |number: usize| start + TimeDelta::microseconds((number * 1_000_000 / rate) as i64);
    for first in (0..count).step_by(BATCH) {
        let jobs: Vec<Value> = (first..count.min(first + BATCH)).map(|n| job(&sink, n, due(n))).collect();
        client.post("/v1/jobs/batch", &json!({ "jobs": jobs })).await?;
    }
    anyhow::ensure!(
        Clock::local().now() < start,
        "creating {count} jobs took longer than {LEAD}; use a lower --rate or fewer --seconds"
    );
    let mut waits = Waits::new()?;
    for number in 0..count {
        let arrival = sink.wait_for(number, Duration::from_secs(seconds as u64 + 30)).await?;
        waits.add_micros((arrival.utc - due(number)).num_microseconds().unwrap_or(i64::MAX));
    }
    Ok(Report::default().add("measure", "due → receiver called").add("rate_per_second", rate).waits(&waits))
}

fn job(sink: &Sink, number: usize, run_at: DateTime<Utc>) -> Value {
    json!({ "target": { "kind": "http", "url": sink.url(number) }, "payload": { "number": number }, "run_at": run_at })
}
