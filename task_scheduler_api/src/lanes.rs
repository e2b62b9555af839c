//! Which lane a merchant's queue is on. Queues come into being when they are first named.

use parking_lot::Mutex;
use scheduler_core::domain::MerchantId;
use scheduler_core::store::{Store, StoreResult};
use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

/// How long an entry is trusted; a queue that moves to another lane is noticed within this time. The watcher moves what is
/// created on the old one until then.
const TRUSTED_FOR: Duration = Duration::from_secs(3);
/// Entries kept at most; beyond it all are forgotten and looked up anew.
const MAX_ENTRIES: usize = 100_000;

/// Known queues and their lanes.
#[derive(Default)]
pub struct Lanes {
    known: Mutex<HashMap<(MerchantId, String), (Instant, String)>>,
}

impl Lanes {
    /// The lane of each of these queues, making the queues that are new.
    pub async fn of(
        &self,
        store: &Store,
        merchant: MerchantId,
        queues: BTreeSet<&str>,
    ) -> StoreResult<HashMap<String, String>> {
        let mut lanes = HashMap::with_capacity(1);
        let mut missing: Vec<&str> = Vec::new();
        {
            let known = self.known.lock();
            for queue in queues {
                let entry = known.get(&(merchant, queue.to_owned()));
                match entry.filter(|(asked, _)| asked.elapsed() < TRUSTED_FOR) {
                    Some((_, lane)) => drop(lanes.insert(queue.to_owned(), lane.clone())),
                    None => missing.push(queue),
                }
            }
        }
        if missing.is_empty() {
            return Ok(lanes);
        }
        let asked = Instant::now();
        let found = store.ensure_queues(merchant, &missing).await?;
        let mut known = self.known.lock();
        if known.len() + found.len() > MAX_ENTRIES {
            known.clear();
        }
        for (queue, lane) in found {
            known.insert((merchant, queue.clone()), (asked, lane.clone()));
            lanes.insert(queue, lane);
        }
        Ok(lanes)
    }

    /// The queue was changed: its lane is looked up anew.
    pub fn forget(&self, merchant: MerchantId, queue: &str) {
        self.known.lock().remove(&(merchant, queue.to_owned()));
    }

    /// The lane of one queue.
    pub async fn one(&self, store: &Store, merchant: MerchantId, queue: &str) -> StoreResult<String> {
        let mut lanes = self.of(store, merchant, BTreeSet::from([queue])).await?;
        // `ensure_queues` answers every name that it is asked for.
        Ok(lanes.remove(queue).unwrap_or_else(|| "default".to_owned()))
    }
}
