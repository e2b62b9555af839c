//! Create called → receiver called, with nothing else going on.

use super::report::{Report, Waits};
use super::sink::Sink;
use crate::client::Client;
use serde_json::json;
use std::time::{Duration, Instant};

/// One job every 20 ms.
const GAP: Duration = Duration::from_millis(20);
/// Jobs before the ones that count: connections open, caches fill.
const WARM_UP: usize = 20;

/// Measures.
pub async fn measure(client: &Client, jobs: usize) -> anyhow::Result<Report> {
    let sink = Sink::start(jobs + WARM_UP).await?;
    let mut waits = Waits::new()?;
    let mut answers = Waits::new()?;
    for number in 0..jobs + WARM_UP {
        let body = json!({ "target": { "kind": "http", "url": sink.url(number) }, "payload": { "number": number } });
        let called = Instant::now();
        client.post("/v1/jobs", &body).await?;
        let answered = called.elapsed();
        let arrival = sink.wait_for(number, Duration::from_secs(10)).await?;
        if number >= WARM_UP {
            waits.add(arrival.monotonic - called);
            answers.add(answered);
        }
        tokio::time::sleep(GAP).await;
    }
    Ok(Report::default().add("measure", "create called → receiver called").waits(&waits))
}
