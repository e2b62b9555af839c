//! The ready queues: what may be claimed now, per lane and priority, in fair order. Ids only.

use super::connection::{QueueError, Redis};
use crate::domain::{JobId, MerchantId};
use bytes_utils::Str;
use fred::clients::Client;
use fred::interfaces::{ClientLike, KeysInterface, SortedSetsInterface};
use fred::types::scripts::Script;
use fred::types::{ClusterHash, CustomCommand, Value};
use std::time::Duration;
use uuid::Uuid;

/// How long a pop waits for a connection that is not there.
const NOT_CONNECTED_PAUSE: Duration = Duration::from_millis(100);

/// Priorities, the first one first.
pub const PRIORITIES: std::ops::RangeInclusive<u8> = 0..=9;

/// A job's name in Redis: 32 bytes, trusted for nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Member {
    /// Whose job.
    pub merchant: MerchantId,
    /// Which job.
    pub job: JobId,
}

impl Member {
    /// The 32 bytes.
    pub fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(self.merchant.0.as_bytes());
        bytes[16..].copy_from_slice(self.job.0.as_bytes());
        bytes
    }

    /// Reads the bytes; `None` for anything that is not 32 long (somebody else wrote it).
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 32] = bytes.try_into().ok()?;
        let (merchant, job) = bytes.split_at(16);
        Some(Self { merchant: MerchantId(Uuid::from_slice(merchant).ok()?), job: JobId(Uuid::from_slice(job).ok()?) })
    }
}

/// What a push found.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct PushOutcome {
    /// Redis did not know our generation: what was pushed before is gone, or another populator was here.
    pub memory_lost: bool,
    /// Members in the set now.
    pub depth: u64,
    /// The least score in the set, none when it is empty.
    pub head: Option<f64>,
}

/// The populator's side.
#[derive(Clone)]
pub struct ReadyQueue {
    redis: Redis,
    push: Script,
    heal: Script,
}

impl ReadyQueue {
    /// The ready queues of this installation.
    pub fn new(redis: Redis) -> Self {
        let push = Script::from_lua(include_str!("lua/push.lua"));
        Self { redis, push, heal: Script::from_lua(include_str!("lua/heal.lua")) }
    }

    /// Puts `entries` (score, job) into one ready set; an empty slice only asks for depth and head. A job that is there
    /// already keeps its score, so an outcome that is not known is cleared up by pushing again. A key of another type is
    /// removed, which counts as lost memory.
    ///
    /// # Errors
    /// When Redis does not answer or has no memory left.
    pub async fn push(
        &self,
        lane: &str,
        priority: u8,
        generation: Uuid,
        entries: &[(f64, Member)],
    ) -> Result<PushOutcome, QueueError> {
        self.send(lane, priority, generation, entries, false).await
    }

    /// Asks for depth and head, and writes something: fails as long as Redis refuses writes, which a mere question does
    /// not notice.
    ///
    /// # Errors
    /// As for [`Self::push`].
    pub async fn probe(&self, lane: &str, priority: u8, generation: Uuid) -> Result<PushOutcome, QueueError> {
        self.send(lane, priority, generation, &[], true).await
    }

    async fn send(
        &self,
        lane: &str,
        priority: u8,
        generation: Uuid,
        entries: &[(f64, Member)],
        write: bool,
    ) -> Result<PushOutcome, QueueError> {
        let keys = vec![self.redis.keys.ready(lane, priority), self.redis.keys.generation(lane)];
        let mut args: Vec<Value> = Vec::with_capacity(2 + 2 * entries.len());
        args.push(generation.to_string().into());
        args.push(i64::from(write).into());
        for (score, member) in entries {
            args.push(format!("{score}").into());
            args.push(Value::Bytes(member.to_bytes().to_vec().into()));
        }
        let answer: (i64, u64, String) = self
            .push
            .evalsha_with_reload(self.redis.connected("push")?, keys, args)
            .await
            .map_err(|source| QueueError::Command { verb: "push", source })?;
        Ok(PushOutcome { memory_lost: answer.0 == 1, depth: answer.1, head: answer.2.parse().ok() })
    }

    /// Members in each ready set of a lane, by priority.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn depths(&self, lane: &str) -> Result<Vec<u64>, QueueError> {
        let client = self.redis.connected("ZCARD")?;
        let counts = PRIORITIES.map(|p| client.zcard::<u64, _>(self.redis.keys.ready(lane, p)));
        futures::future::try_join_all(counts).await.map_err(|source| QueueError::Command { verb: "ZCARD", source })
    }

    /// Removes the ready sets of a lane that are of another type, which keep its executors from taking anything; their
    /// number. The populator fills them again.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn heal(&self, lane: &str) -> Result<u64, QueueError> {
        let mut keys = vec![self.redis.keys.generation(lane)];
        keys.extend(PRIORITIES.map(|priority| self.redis.keys.ready(lane, priority)));
        let removed = self.heal.evalsha_with_reload(self.redis.connected("heal")?, keys, Vec::<Value>::new()).await;
        removed.map_err(|source| QueueError::Command { verb: "heal", source })
    }

    /// Throws a ready set away; what was in it is found again by a sweep.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn clear(&self, lane: &str, priority: u8) -> Result<(), QueueError> {
        let cleared = self.redis.connected("UNLINK")?.unlink::<i64, _>(self.redis.keys.ready(lane, priority)).await;
        cleared.map(drop).map_err(|source| QueueError::Command { verb: "UNLINK", source })
    }
}

/// The executor's side: one connection that blocks until something is ready.
pub struct ReadyPopper {
    redis: Redis,
    client: Client,
    lane: String,
    longest_wait: Duration,
}

impl ReadyPopper {
    /// A popper for one lane. `longest_wait` bounds each [`Self::pop`].
    ///
    /// # Errors
    /// When the URL of the settings cannot be used.
    pub async fn connect(redis: &Redis, lane: &str, longest_wait: Duration) -> Result<Self, QueueError> {
        let client = redis.dedicated(longest_wait).await?;
        Ok(Self { redis: redis.clone(), client, lane: lane.to_owned(), longest_wait })
    }

    /// Takes up to `max` jobs from the first ready set that has any, waiting for one if need be; empty when the wait was in vain.
    ///
    /// `from_last` looks at the last priority first; doing so now and then keeps strict priority from starving it.
    /// What is taken and then lost (a crash, a lost answer) is found again by the populator's sweep.
    ///
    /// # Errors
    /// When Redis does not answer; while there is no connection, after a moment, so that a loop does not spin.
    pub async fn pop(&self, max: usize, from_last: bool) -> Result<Vec<Member>, QueueError> {
        self.pop_within(max, from_last, self.longest_wait).await
    }

    /// [`Self::pop`] that waits no longer than `wait`; zero: not at all.
    ///
    /// # Errors
    /// As for [`Self::pop`].
    pub async fn pop_within(&self, max: usize, from_last: bool, wait: Duration) -> Result<Vec<Member>, QueueError> {
        let wait = wait.min(self.longest_wait);
        let (verb, blocking) = if wait.is_zero() { ("ZMPOP", false) } else { ("BZMPOP", true) };
        if !self.client.is_connected() {
            tokio::time::sleep(NOT_CONNECTED_PAUSE.min(self.longest_wait)).await;
            return Err(QueueError::NotConnected(verb));
        }
        let mut keys: Vec<Value> = PRIORITIES
            .map(|p| Value::from(Str::from(self.redis.keys.ready(&self.lane, p).into_string().unwrap_or_default())))
            .collect();
        if from_last {
            keys.reverse();
        }
        let mut args: Vec<Value> = Vec::with_capacity(keys.len() + 5);
        if blocking {
            args.push(wait.as_secs_f64().to_string().into());
        }
        args.push((keys.len() as i64).into());
        args.append(&mut keys);
        args.extend([Value::from("MIN"), "COUNT".into(), (max as i64).into()]);
        // A custom command, because the built-in one turns an empty answer into an error that looks like a time-out.
        let hash = ClusterHash::Custom(fred::util::redis_keyslot(self.redis.keys.generation(&self.lane).as_bytes()));
        let command = CustomCommand::new_static(verb, hash, blocking);
        let answer: Value =
            self.client.custom(command, args).await.map_err(|source| QueueError::Command { verb, source })?;
        read_popped(verb, answer)
    }
}

impl Drop for ReadyPopper {
    fn drop(&mut self) {
        let client = self.client.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { client.quit().await });
        }
    }
}

/// `[key, [[member, score], …]]`, or nil. Members of a wrong shape are dropped: somebody else put them there.
fn read_popped(verb: &'static str, answer: Value) -> Result<Vec<Member>, QueueError> {
    let pairs = match answer {
        Value::Null => return Ok(Vec::new()),
        Value::Array(mut parts) if parts.len() == 2 => parts.swap_remove(1),
        _ => return Err(QueueError::Answer(verb)),
    };
    let Value::Array(pairs) = pairs else {
        return Err(QueueError::Answer(verb));
    };
    let member = |pair: Value| match pair {
        Value::Array(parts) => parts.into_iter().next().and_then(|m| Member::from_bytes(m.as_bytes()?)),
        _ => None,
    };
    Ok(pairs.into_iter().filter_map(member).collect())
}
