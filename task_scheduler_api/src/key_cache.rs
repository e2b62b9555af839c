//! API keys that were looked up a moment ago, and which of them have been used.

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use scheduler_core::reconcile::{Progress, Reconcile};
use scheduler_core::store::api_keys::ApiKey;
use scheduler_core::store::{Store, StoreError, StoreResult};
use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Keys kept at most; beyond it all are forgotten and looked up anew.
const MAX_KEYS: usize = 10_000;

/// Lookups of the same key wait for each other, so that an expiry under load costs one query and not hundreds.
const LOOKUP_LOCKS: usize = 16;

/// Known keys. Unknown ones are not remembered: they cost a primary-key lookup each, and no memory.
pub struct KeyCache {
    trusted_for: Duration,
    known: Mutex<HashMap<String, (Instant, Arc<ApiKey>)>>,
    used: Mutex<HashMap<String, DateTime<Utc>>>,
    lookups: [tokio::sync::Mutex<()>; LOOKUP_LOCKS],
    hasher: RandomState,
}

impl KeyCache {
    /// An empty cache that trusts what it knows for this long; a revoked key works for at most as long.
    pub fn new(trusted_for: Duration) -> Self {
        Self {
            trusted_for,
            known: Mutex::default(),
            used: Mutex::default(),
            lookups: Default::default(),
            hasher: RandomState::new(),
        }
    }

    /// The key with this public id, from memory or from the database.
    pub async fn look_up(&self, store: &Store, id: &str) -> StoreResult<Option<Arc<ApiKey>>> {
        if let Some(key) = self.fresh(id) {
            return Ok(Some(key));
        }
        let slot = self.hasher.hash_one(id) as usize % LOOKUP_LOCKS;
        let _turn = self.lookups[slot].lock().await;
        if let Some(key) = self.fresh(id) {
            return Ok(Some(key));
        }
        // Taken before the query, so that the trust never outlasts what the database said.
        let asked = Instant::now();
        let found = store.api_key(id).await?.map(Arc::new);
        let mut known = self.known.lock();
        match &found {
            Some(key) => {
                if known.len() >= MAX_KEYS {
                    known.clear();
                }
                known.insert(id.to_owned(), (asked, Arc::clone(key)));
            }
            None => drop(known.remove(id)),
        }
        Ok(found)
    }

    fn fresh(&self, id: &str) -> Option<Arc<ApiKey>> {
        let known = self.known.lock();
        known.get(id).filter(|(asked, _)| asked.elapsed() < self.trusted_for).map(|(_, key)| Arc::clone(key))
    }

    /// Notes that a key was used.
    pub fn used(&self, id: &str, at: DateTime<Utc>) {
        let mut used = self.used.lock();
        match used.get_mut(id) {
            Some(last) => *last = at,
            None => drop(used.insert(id.to_owned(), at)),
        }
    }
}

/// Writes `last_used_at` now and then, for all used keys at once.
pub struct KeyUsage {
    /// Where to write.
    pub store: Store,
    /// What was used.
    pub keys: Arc<KeyCache>,
}

impl Reconcile for KeyUsage {
    const NAME: &'static str = "key_usage";
    type Error = StoreError;

    async fn tick(&mut self) -> StoreResult<Progress> {
        let used: Vec<_> = std::mem::take(&mut *self.keys.used.lock()).into_iter().collect();
        if used.is_empty() {
            return Ok(Progress::Idle);
        }
        let written = self.store.touch_api_keys(&used).await;
        if written.is_err() {
            // Kept for the next time, without overwriting what came since.
            let mut kept = self.keys.used.lock();
            for (id, at) in used {
                kept.entry(id).or_insert(at);
            }
        }
        written.map(|()| Progress::Idle)
    }
}
