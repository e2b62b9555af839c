//! Receiving hints over a subscription that renews itself.

use super::connection::{QueueError, Redis, reconnect};
use super::hints::{Hint, Topic};
use super::ready::Member;
use super::wire::decode_due;
use crate::telemetry::metrics as names;
use fred::clients::SubscriberClient;
use fred::interfaces::{ClientLike, EventInterface, PubsubInterface};
use fred::types::{Message, MultipleStrings, Value};
use metrics::counter;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::broadcast::error::RecvError;

/// How often the subscription is asked for again. Doing so twice changes nothing, and a connection that has died
/// silently is noticed by it.
const RENEW: Duration = Duration::from_secs(5);
/// The same while it does not work.
const RETRY: Duration = Duration::from_millis(250);

/// How long a subscription may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// So often in a row, and the connection is given up for another.
const SILENT_TOO_OFTEN: u32 = 2;

/// Receives hints of some topics.
pub struct HintReceiver {
    topics: Vec<(String, Topic)>,
    client: SubscriberClient,
    messages: tokio::sync::broadcast::Receiver<Message>,
    missed: Arc<Notify>,
    keeper: tokio::task::JoinHandle<()>,
}

impl HintReceiver {
    /// Subscribes; when Redis is down the subscription follows once it is back, and [`Hint::Missed`] with it.
    ///
    /// # Errors
    /// When the URL of the settings cannot be used.
    pub async fn subscribe(redis: &Redis, topics: &[Topic]) -> Result<Self, QueueError> {
        let client = redis.subscriber().await?;
        let messages = client.message_rx();
        let topics: Vec<_> = topics.iter().map(|topic| (topic.channel(&redis.keys), *topic)).collect();
        let missed = Arc::new(Notify::new());
        let keeper = Keeper {
            client: client.clone(),
            channels: topics.iter().map(|(channel, _)| channel.clone()).collect(),
            missed: missed.clone(),
            works: false,
            silent: 0,
        };
        let keeper = keeper.start().await;
        Ok(Self { topics, client, messages, missed, keeper })
    }

    /// The next hint. Messages that are not ours are passed over. Pends for ever once the client is gone.
    pub async fn next(&mut self) -> Hint {
        loop {
            let received = tokio::select! {
                received = self.messages.recv() => received,
                () = self.missed.notified() => return Hint::Missed,
            };
            match received {
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
        let channel: &str = &message.channel;
        let (_, topic) = self.topics.iter().find(|(ours, _)| ours == channel)?;
        counter!(names::HINTS_RECEIVED_TOTAL, "kind" => topic.name()).increment(1);
        let payload = message.value.as_bytes().unwrap_or_default();
        match topic {
            Topic::Due => Some(Hint::Due(decode_due(payload))),
            Topic::Failed => Some(Hint::Failed),
            Topic::Cancel => Member::from_bytes(payload).map(Hint::Cancel),
            Topic::Template => Some(Hint::Template),
            Topic::Ending => Some(Hint::Ending),
            Topic::Lane => String::from_utf8(payload.to_vec()).ok().map(Hint::Lane),
            Topic::Released => Some(Hint::Released),
        }
    }
}

impl Drop for HintReceiver {
    fn drop(&mut self) {
        self.keeper.abort();
        let client = self.client.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { client.quit().await });
        }
    }
}

/// Keeps the subscription alive. The client's own way forgets a channel whose first subscription failed.
struct Keeper {
    client: SubscriberClient,
    channels: Vec<String>,
    missed: Arc<Notify>,
    works: bool,
    /// Subscriptions in a row that had no answer although there seems to be a connection.
    silent: u32,
}

impl Keeper {
    /// Subscribes once, then goes on in the background.
    async fn start(mut self) -> tokio::task::JoinHandle<()> {
        let mut reconnects = self.client.reconnect_rx();
        // Nobody has heard anything yet, so nothing was missed.
        if self.client.is_connected() {
            self.works = self.subscribe().await;
        }
        if !self.works {
            tracing::warn!("not subscribed to hints yet; sweeps do the work until Redis is back");
        }
        tokio::spawn(async move {
            loop {
                let pause = if self.works { RENEW } else { RETRY };
                tokio::select! {
                    _ = reconnects.recv() => self.works = false,
                    () = tokio::time::sleep(pause) => {}
                }
                self.renew().await;
            }
        })
    }

    async fn renew(&mut self) {
        let worked = std::mem::replace(&mut self.works, false);
        let connected = self.client.is_connected();
        self.works = connected && self.subscribe().await;
        self.silent = if self.works { 0 } else { self.silent + 1 };
        if self.silent >= SILENT_TOO_OFTEN {
            self.silent = 0;
            reconnect(&self.client).await;
        }
        if self.works && !worked {
            self.missed.notify_one();
        }
    }

    /// Subscribes, and asks for an answer: a subscription that the client believes to have is not sent again, so it proves
    /// nothing about the connection.
    async fn subscribe(&self) -> bool {
        let channels = MultipleStrings::from(self.channels.clone());
        let asked = async {
            self.client.subscribe(channels).await?;
            self.client.ping::<Value>(None).await
        };
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(_pong)) => true,
            Ok(Err(error)) => {
                tracing::debug!(%error, "not subscribed");
                false
            }
            Err(_elapsed) => {
                tracing::debug!("not subscribed: no answer");
                false
            }
        }
    }
}
