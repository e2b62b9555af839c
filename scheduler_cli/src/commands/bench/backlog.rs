//! What the measurements of a backlog share: a queue of their own, filled while it is paused, then let go.

use crate::client::Client;
use anyhow::Context as _;
use futures::stream::{StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Jobs per batch request.
pub const BATCH: usize = 1_000;
/// Batch requests under way at once.
const REQUESTS: usize = 2;
/// How long a drain may take.
const LIMIT: Duration = Duration::from_secs(600);
/// States of jobs that something still has to happen to.
const LIVE: &str = "scheduled,running,failed,retrying";

/// One queue of the measuring merchant.
pub struct Backlog<'a> {
    client: &'a Client,
    queue: &'static str,
}

impl<'a> Backlog<'a> {
    /// The queue, empty and paused. A queue exists once a job has named it, hence the first job.
    pub async fn paused(client: &'a Client, queue: &'static str) -> anyhow::Result<Self> {
        client.post("/v1/jobs", &json!({ "queue": queue, "target": { "kind": "noop" } })).await?;
        let backlog = Self { client, queue };
        backlog.until_empty().await?;
        backlog.act("pause").await?;
        Ok(backlog)
    }

    /// Creates `count` jobs in bulk; how long it took.
    pub async fn fill(&self, count: usize, job: impl Fn(usize) -> Value) -> anyhow::Result<Duration> {
        let started = Instant::now();
        let requests = (0..count).step_by(BATCH).map(|first| {
            let jobs: Vec<Value> = (first..count.min(first + BATCH)).map(&job).collect();
            async move { self.client.post("/v1/jobs/batch", &json!({ "jobs": jobs })).await }
        });
        let created = futures::stream::iter(requests).buffer_unordered(REQUESTS).try_for_each(async |_| Ok(())).await;
        let took = started.elapsed();
        if created.is_err() {
            // Whatever was created should not wait for ever.
            self.act("resume").await?;
        }
        created.map(|()| took)
    }

    /// Lets the jobs run; the moment just before.
    pub async fn resume(&self) -> anyhow::Result<Instant> {
        let before = Instant::now();
        self.act("resume").await?;
        Ok(before)
    }

    /// Waits until no job of the queue is live.
    pub async fn until_empty(&self) -> anyhow::Result<()> {
        let live = [("queue", self.queue.to_owned()), ("state", LIVE.to_owned()), ("limit", "1".to_owned())];
        let empty = async {
            loop {
                let asked = Instant::now();
                let answer = self.client.get("/v1/jobs", &live).await?;
                if answer["data"].as_array().is_some_and(Vec::is_empty) {
                    return Ok(());
                }
                // Looking must not cost what is measured.
                tokio::time::sleep((asked.elapsed() * 5).max(Duration::from_millis(20))).await;
            }
        };
        tokio::time::timeout(LIMIT, empty).await.context("the queue was not drained in time")?
    }

    async fn act(&self, verb: &str) -> anyhow::Result<()> {
        self.client.post(&format!("/v1/queues/{}/{verb}", self.queue), &json!({})).await.map(drop)
    }
}

/// Things per second.
pub fn rate(count: usize, took: Duration) -> f64 {
    (count as f64 / took.as_secs_f64()).round()
}

/// A payload of 200 bytes, the size that the measurements of job queues commonly use.
pub fn payload(number: usize) -> Value {
    let bare = format!(r#"{{"number":{number},"text":""}}"#).len();
    json!({ "number": number, "text": "x".repeat(200 - bare) })
}
