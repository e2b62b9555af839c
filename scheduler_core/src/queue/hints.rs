//! Hints: "look now". Best effort; a lost one costs at most one sweep.

use super::connection::Redis;
use super::keys::Keys;
use super::ready::Member;
use super::wire::encode_due;
use crate::telemetry::metrics as names;
use chrono::{DateTime, Utc};
use fred::interfaces::PubsubInterface;
use fred::types::Value;
use metrics::counter;
use std::time::Duration;

pub use super::receiver::HintReceiver;

/// Hints in one message: well below what a subscriber's buffer takes.
const PER_MESSAGE: usize = 500;
/// Longest wait for Redis to take a hint. The sender has better things to do.
const SEND_TIMEOUT: Duration = Duration::from_millis(500);

/// A job became due or will be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DueHint {
    /// Which job.
    pub member: Member,
    /// When it may start.
    pub run_at: DateTime<Utc>,
    /// 0 to 9.
    pub priority: u8,
    /// The lane of its queue.
    pub lane: String,
}

/// What a receiver hears.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Hint {
    /// Jobs became due or will be.
    Due(Vec<DueHint>),
    /// Attempts failed; the watcher may decide now.
    Failed,
    /// A running job was called off.
    Cancel(Member),
    /// A template was created or changed.
    Template,
    /// A job that others wait for has ended.
    Ending,
    /// Much may have become due in this lane at once.
    Lane(String),
    /// A place under a concurrency cap is free.
    Released,
    /// Hints were lost (slow reader, lost connection): sweep.
    Missed,
}

/// Kinds of hints, each with a channel of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Topic {
    /// [`Hint::Due`]
    Due,
    /// [`Hint::Failed`]
    Failed,
    /// [`Hint::Cancel`]
    Cancel,
    /// [`Hint::Template`]
    Template,
    /// [`Hint::Ending`]
    Ending,
    /// [`Hint::Lane`]
    Lane,
    /// [`Hint::Released`]
    Released,
}

impl Topic {
    /// The name in metrics.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Failed => "failed",
            Self::Cancel => "cancel",
            Self::Template => "template",
            Self::Ending => "ending",
            Self::Lane => "lane",
            Self::Released => "released",
        }
    }

    /// The channel.
    pub(super) fn channel(self, keys: &Keys) -> String {
        match self {
            Self::Due => keys.due_channel(),
            Self::Failed => keys.failed_channel(),
            Self::Cancel => keys.cancel_channel(),
            Self::Template => keys.template_channel(),
            Self::Ending => keys.ending_channel(),
            Self::Lane => keys.lane_channel(),
            Self::Released => keys.released_channel(),
        }
    }
}

/// Sends hints; never fails and never waits for long, only counts. Cheap to clone.
#[derive(Clone)]
pub struct HintSender {
    redis: Redis,
}

impl HintSender {
    /// A sender over the shared connection.
    pub fn new(redis: Redis) -> Self {
        Self { redis }
    }

    /// Tells the populators of due or soon-due jobs. Call it after the commit.
    pub async fn due(&self, hints: &[DueHint]) {
        for chunk in hints.chunks(PER_MESSAGE) {
            self.publish(Topic::Due, chunk.iter().flat_map(encode_due).collect()).await;
        }
    }

    /// Tells the watchers that something failed.
    pub async fn failed(&self) {
        self.publish(Topic::Failed, Vec::new()).await;
    }

    /// Tells the executors that a running job was called off.
    pub async fn cancel(&self, member: Member) {
        self.publish(Topic::Cancel, member.to_bytes().to_vec()).await;
    }

    /// Tells the recurrence managers that a template changed.
    pub async fn template(&self) {
        self.publish(Topic::Template, Vec::new()).await;
    }

    /// Tells the populators that a job with dependents ended.
    pub async fn ending(&self) {
        self.publish(Topic::Ending, Vec::new()).await;
    }

    /// Tells the populator of a lane to look at all of it now: so much has become due at once (a queue was resumed) that
    /// telling of each job would be slower.
    pub async fn lane(&self, lane: &str) {
        self.publish(Topic::Lane, lane.as_bytes().to_vec()).await;
    }

    /// Tells the populators that a place under a concurrency cap is free.
    pub async fn released(&self) {
        self.publish(Topic::Released, Vec::new()).await;
    }

    async fn publish(&self, topic: Topic, payload: Vec<u8>) {
        // Not connected: a message that waits for the connection is late anyhow, and the caller would wait with it.
        let Ok(client) = self.redis.connected("PUBLISH") else {
            return;
        };
        let channel = topic.channel(&self.redis.keys);
        let sent = client.publish::<i64, _, _>(channel, Value::Bytes(payload.into()));
        match tokio::time::timeout(SEND_TIMEOUT, sent).await {
            Ok(Ok(_receivers)) => counter!(names::HINTS_SENT_TOTAL, "kind" => topic.name()).increment(1),
            Ok(Err(error)) => tracing::debug!(%error, "a hint was not sent; the sweep will find the work"),
            Err(_elapsed) => tracing::debug!("a hint took too long; the sweep will find the work"),
        }
    }
}
