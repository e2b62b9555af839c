//! Hints: "look now". Best effort; a lost one costs at most one sweep.

use super::connection::{QueueError, Redis};
use super::ready::Member;
use crate::domain::{JobId, MerchantId};
use chrono::{DateTime, Utc};
use fred::clients::SubscriberClient;
use fred::interfaces::{ClientLike, EventInterface, PubsubInterface};
use fred::types::{Message, Value};
use tokio::sync::broadcast::error::RecvError;
use uuid::Uuid;

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
    /// Hints were lost (slow reader, lost connection): sweep.
    Missed,
}

/// Sends hints; never fails, only counts. Cheap to clone.
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
        // A message stays well below what a subscriber's buffer takes.
        for chunk in hints.chunks(500) {
            let payload: Vec<u8> = chunk.iter().flat_map(encode_due).collect();
            self.publish(self.redis.keys.due_channel(), payload).await;
        }
    }

    /// Tells the watchers that something failed.
    pub async fn failed(&self) {
        self.publish(self.redis.keys.failed_channel(), Vec::new()).await;
    }

    /// Tells the executors that a running job was called off.
    pub async fn cancel(&self, member: Member) {
        self.publish(self.redis.keys.cancel_channel(), member.to_bytes().to_vec()).await;
    }

    /// Tells the recurrence managers that a template changed.
    pub async fn template(&self) {
        self.publish(self.redis.keys.template_channel(), Vec::new()).await;
    }

    /// Tells the populators that a job with dependents ended.
    pub async fn ending(&self) {
        self.publish(self.redis.keys.ending_channel(), Vec::new()).await;
    }

    async fn publish(&self, channel: String, payload: Vec<u8>) {
        let sent = self.redis.client().publish::<i64, _, _>(channel, Value::Bytes(payload.into())).await;
        if let Err(error) = sent {
            tracing::debug!(%error, "a hint was not sent; the sweep will find the work");
        }
    }
}

/// Which channels a receiver listens to.
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
}

/// Receives hints of some topics.
pub struct HintReceiver {
    redis: Redis,
    client: SubscriberClient,
    messages: tokio::sync::broadcast::Receiver<Message>,
}

impl HintReceiver {
    /// Subscribes; when Redis is down the subscription follows once it is back.
    pub async fn subscribe(redis: &Redis, topics: &[Topic]) -> Result<Self, QueueError> {
        let client = redis.subscriber().await?;
        let messages = client.message_rx();
        for topic in topics {
            let channel = match topic {
                Topic::Due => redis.keys.due_channel(),
                Topic::Failed => redis.keys.failed_channel(),
                Topic::Cancel => redis.keys.cancel_channel(),
                Topic::Template => redis.keys.template_channel(),
                Topic::Ending => redis.keys.ending_channel(),
            };
            if let Err(error) = client.subscribe(channel).await {
                tracing::warn!(%error, "not subscribed yet; sweeps do the work until Redis is back");
            }
        }
        Ok(Self { redis: redis.clone(), client, messages })
    }

    /// The next hint. Messages that are not ours are passed over. Pends for ever once the client is gone.
    pub async fn next(&mut self) -> Hint {
        loop {
            match self.messages.recv().await {
                Ok(message) => {
                    if let Some(hint) = self.decode(&message) {
                        return hint;
                    }
                }
                Err(RecvError::Lagged(_)) => return Hint::Missed,
                Err(RecvError::Closed) => std::future::pending::<()>().await,
            }
        }
    }

    fn decode(&self, message: &Message) -> Option<Hint> {
        let keys = &self.redis.keys;
        let channel: &str = &message.channel;
        let payload = message.value.as_bytes().unwrap_or_default();
        match channel {
            c if c == keys.due_channel() => Some(Hint::Due(decode_due(payload))),
            c if c == keys.failed_channel() => Some(Hint::Failed),
            c if c == keys.cancel_channel() => Member::from_bytes(payload).map(Hint::Cancel),
            c if c == keys.template_channel() => Some(Hint::Template),
            c if c == keys.ending_channel() => Some(Hint::Ending),
            _ => None,
        }
    }
}

impl Drop for HintReceiver {
    fn drop(&mut self) {
        let client = self.client.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { client.quit().await });
        }
    }
}

/// merchant (16) · job (16) · run_at in µs (8) · priority (1) · length of lane (1) · lane
fn encode_due(hint: &DueHint) -> Vec<u8> {
    let lane = &hint.lane.as_bytes()[..hint.lane.len().min(255)];
    let mut out = Vec::with_capacity(42 + lane.len());
    out.extend(hint.member.to_bytes());
    out.extend(hint.run_at.timestamp_micros().to_be_bytes());
    out.push(hint.priority);
    out.push(lane.len() as u8);
    out.extend(lane);
    out
}

/// Reads records until the first that is cut short or makes no sense.
fn decode_due(mut bytes: &[u8]) -> Vec<DueHint> {
    let mut hints = Vec::new();
    while let Some((hint, rest)) = decode_one(bytes) {
        hints.push(hint);
        bytes = rest;
    }
    hints
}

fn decode_one(bytes: &[u8]) -> Option<(DueHint, &[u8])> {
    let (head, rest) = bytes.split_at_checked(42)?;
    let (lane, rest) = rest.split_at_checked(usize::from(head[41]))?;
    let micros = i64::from_be_bytes(head[32..40].try_into().ok()?);
    let hint = DueHint {
        member: Member {
            merchant: MerchantId(Uuid::from_slice(&head[..16]).ok()?),
            job: JobId(Uuid::from_slice(&head[16..32]).ok()?),
        },
        run_at: DateTime::from_timestamp_micros(micros)?,
        priority: head[40].min(9),
        lane: std::str::from_utf8(lane).ok()?.to_owned(),
    };
    Some((hint, rest))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn due_hints_survive_the_wire_and_garbage_does_no_harm() {
        let hint = |lane: &str| DueHint {
            member: Member { merchant: MerchantId(Uuid::from_u128(1)), job: JobId(Uuid::from_u128(2)) },
            run_at: DateTime::from_timestamp_micros(1_800_000_000_123_456).unwrap(),
            priority: 9,
            lane: lane.to_owned(),
        };
        let hints = vec![hint("default"), hint("slow")];
        let mut bytes: Vec<u8> = hints.iter().flat_map(encode_due).collect();
        assert_eq!(decode_due(&bytes), hints);
        bytes.truncate(bytes.len() - 1);
        assert_eq!(decode_due(&bytes).len(), 1);
        assert_eq!(decode_due(b"nonsense"), vec![]);
    }
}
