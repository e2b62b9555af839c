//! Connections to Redis, with a bound on every wait.

use super::keys::Keys;
use fred::clients::{Client, SubscriberClient};
use fred::interfaces::ClientLike;
use fred::types::config::{Config, ConnectionConfig, PerformanceConfig, ReconnectPolicy, UnresponsiveConfig};
use fred::types::{Builder, InfoKind};
use std::time::Duration;

/// How long a forced reconnection is waited for; it goes on by itself.
const RECONNECT_PATIENCE: Duration = Duration::from_secs(2);

/// How long an ordinary command may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(2);
/// How long start-up waits for the first connection before it goes on without.
const FIRST_CONNECT: Duration = Duration::from_secs(3);

/// Redis did not do what was asked. Never fatal: the caller goes on without the fast path.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The URL of the settings cannot be used.
    #[error("redis.url cannot be used")]
    Url(#[source] fred::error::Error),
    /// There is no connection at present; nothing was sent.
    #[error("Redis is not connected, a {0} was not sent")]
    NotConnected(&'static str),
    /// The command failed or took too long.
    #[error("Redis did not do a {verb}")]
    Command {
        /// What was asked.
        verb: &'static str,
        /// Why it failed.
        #[source]
        source: fred::error::Error,
    },
    /// The answer has a shape that the command does not have.
    #[error("Redis answered a {0} with something unexpected")]
    Answer(&'static str),
}

impl QueueError {
    /// What the server said against the command; none when it said nothing (no connection, no answer in time).
    pub fn refusal(&self) -> Option<&str> {
        let Self::Command { source, .. } = self else {
            return None;
        };
        // Errors of the server begin with a code in capitals, those of the client do not.
        let said = source.details();
        let code = said.split(' ').next().unwrap_or_default();
        (code.len() > 1 && code.bytes().all(|letter| letter.is_ascii_uppercase())).then_some(said)
    }

    /// Whether the server said that a key is of another type than the command needs.
    pub fn is_wrong_type(&self) -> bool {
        self.refusal().is_some_and(|said| said.starts_with("WRONGTYPE"))
    }
}

/// A connected (or connecting) client; cheap to clone. Reconnects by itself for ever.
#[derive(Clone)]
pub struct Redis {
    config: Config,
    command_timeout: Duration,
    /// Names of keys and channels.
    pub keys: Keys,
    client: Client,
}

impl Redis {
    /// Connects. An unreachable server is not an error: commands fail until it is back.
    ///
    /// # Errors
    /// When the URL cannot be used.
    pub async fn connect(url: &str, prefix: &str) -> Result<Self, QueueError> {
        Self::connect_with(url, prefix, COMMAND_TIMEOUT).await
    }

    /// [`Redis::connect`] with a limit of its own on how long an ordinary command may take.
    ///
    /// # Errors
    /// When the URL cannot be used.
    pub async fn connect_with(url: &str, prefix: &str, command_timeout: Duration) -> Result<Self, QueueError> {
        let mut config = Config::from_url(url).map_err(QueueError::Url)?;
        config.fail_fast = false;
        let client = builder(&config, command_timeout).build().map_err(QueueError::Url)?;
        start(&client).await;
        Ok(Self { config, command_timeout, keys: Keys::new(prefix), client })
    }

    /// Whether there is a connection, as far as this end knows.
    pub fn is_connected(&self) -> bool {
        self.client.is_connected()
    }

    /// Fails at once while there is no connection: otherwise a command waits for its time-out.
    pub(super) fn connected(&self, verb: &'static str) -> Result<&Client, QueueError> {
        if self.is_connected() { Ok(&self.client) } else { Err(QueueError::NotConnected(verb)) }
    }

    /// A client of its own for one loop of blocking commands: they would hold up everybody on a shared one.
    pub(super) async fn dedicated(&self, longest_block: Duration) -> Result<Client, QueueError> {
        let client = builder(&self.config, longest_block + self.command_timeout).build().map_err(QueueError::Url)?;
        start(&client).await;
        Ok(client)
    }

    /// A client for subscriptions, which are its user's to renew after a lost connection.
    pub(super) async fn subscriber(&self) -> Result<SubscriberClient, QueueError> {
        let client = builder(&self.config, self.command_timeout).build_subscriber_client().map_err(QueueError::Url)?;
        start(&client).await;
        Ok(client)
    }

    /// Whether the server answers now.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), QueueError> {
        self.connected("PING")?
            .ping::<String>(None)
            .await
            .map(drop)
            .map_err(|source| QueueError::Command { verb: "PING", source })
    }

    /// Gives the connection up and makes another. The client notices by itself only what it is told: a connection that has
    /// gone silent without a word (a peer that lost its power, a firewall that forgot) stays as it is for ever.
    pub async fn reconnect(&self) {
        reconnect(&self.client).await;
    }

    /// The server's version, as `INFO` says it.
    ///
    /// # Errors
    /// When it does not answer, or says no version.
    pub async fn server_version(&self) -> Result<String, QueueError> {
        self.info(InfoKind::Server, "redis_version").await
    }

    /// How many commands the server has worked off since it started, for everybody.
    ///
    /// # Errors
    /// When it does not answer, or says no number.
    pub async fn commands_processed(&self) -> Result<u64, QueueError> {
        let commands = self.info(InfoKind::Stats, "total_commands_processed").await?;
        commands.parse().map_err(|_| QueueError::Answer("INFO"))
    }

    async fn info(&self, section: InfoKind, field: &str) -> Result<String, QueueError> {
        let info: String = self
            .connected("INFO")?
            .info(Some(section))
            .await
            .map_err(|source| QueueError::Command { verb: "INFO", source })?;
        let value = info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        value.map(|v| v.trim().to_owned()).ok_or(QueueError::Answer("INFO"))
    }
}

/// See [`Redis::reconnect`].
pub(super) async fn reconnect<C: ClientLike>(client: &C) {
    let forced = client.force_reconnection();
    if !matches!(tokio::time::timeout(RECONNECT_PATIENCE, forced).await, Ok(Ok(()))) {
        tracing::debug!("a silent connection to Redis was given up, and there is no other yet");
    }
}

fn builder(config: &Config, command_timeout: Duration) -> Builder {
    let mut builder = Builder::from_config(config.clone());
    builder
        .with_connection_config(|c: &mut ConnectionConfig| {
            c.connection_timeout = Duration::from_secs(2);
            c.internal_command_timeout = Duration::from_secs(2);
            c.max_command_buffer_len = 100_000;
            c.unresponsive = UnresponsiveConfig {
                max_timeout: Some(command_timeout + Duration::from_secs(3)),
                interval: Duration::from_secs(1),
            };
        })
        .with_performance_config(|p: &mut PerformanceConfig| {
            p.default_command_timeout = command_timeout;
            p.broadcast_channel_capacity = 8192;
        })
        // 0: for ever.
        .set_policy(ReconnectPolicy::new_exponential(0, 50, 2_000, 2));
    builder
}

/// Starts the connection task and waits a bounded moment for the first connection.
async fn start<C: ClientLike>(client: &C) {
    let _connection = client.connect();
    if tokio::time::timeout(FIRST_CONNECT, client.wait_for_connect()).await.is_err() {
        tracing::warn!("Redis cannot be reached; going on without it and trying again in the background");
    }
}
