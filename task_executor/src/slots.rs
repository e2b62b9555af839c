//! Places for executions: so many per process, so many per lane.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places that one lane may use.
#[derive(Clone, Debug)]
pub(crate) struct Slots {
    lane: Arc<Semaphore>,
    process: Arc<Semaphore>,
}

/// Places taken; given back when dropped.
#[derive(Debug)]
pub(crate) struct Reserved {
    lane: OwnedSemaphorePermit,
    process: OwnedSemaphorePermit,
}

impl Slots {
    /// `limit` places of a lane, among those of the process.
    pub fn new(limit: usize, process: Arc<Semaphore>) -> Self {
        Self { lane: Arc::new(Semaphore::new(limit)), process }
    }

    /// Waits for one place and takes up to `most` of what is free then.
    pub async fn reserve(&self, most: usize) -> Reserved {
        let lane = acquire(&self.lane).await;
        let process = acquire(&self.process).await;
        let mut reserved = Reserved { lane, process };
        let more = most.saturating_sub(1).min(self.lane.available_permits()).min(self.process.available_permits());
        if let Some(more) = self.try_reserve(more) {
            reserved.lane.merge(more.lane);
            reserved.process.merge(more.process);
        }
        reserved
    }

    /// As many as asked for, or half as many, or a quarter: others may have been faster.
    fn try_reserve(&self, most: usize) -> Option<Reserved> {
        let mut wanted = u32::try_from(most).unwrap_or(u32::MAX);
        while wanted > 0 {
            let lane = Arc::clone(&self.lane).try_acquire_many_owned(wanted);
            let process = Arc::clone(&self.process).try_acquire_many_owned(wanted);
            if let (Ok(lane), Ok(process)) = (lane, process) {
                return Some(Reserved { lane, process });
            }
            wanted /= 2;
        }
        None
    }
}

async fn acquire(places: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    Arc::clone(places).acquire_owned().await.expect("the semaphore is never closed")
}

impl Reserved {
    /// Number of places.
    pub fn len(&self) -> usize {
        self.lane.num_permits()
    }

    /// Takes one place out of it, for one execution.
    pub fn split_one(&mut self) -> Option<Reserved> {
        Some(Reserved { lane: self.lane.split(1)?, process: self.process.split(1)? })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn takes_what_is_free_within_both_limits() {
        let process = Arc::new(Semaphore::new(10));
        let (wide, narrow) = (Slots::new(10, process.clone()), Slots::new(3, process.clone()));
        let some = narrow.reserve(100).await;
        assert_eq!((some.len(), process.available_permits()), (3, 7));
        let rest = wide.reserve(100).await;
        assert_eq!((rest.len(), process.available_permits()), (7, 0));
        drop(some);
        assert_eq!(wide.reserve(2).await.len(), 2);
    }

    #[tokio::test]
    async fn places_come_back_one_by_one_or_together() {
        let process = Arc::new(Semaphore::new(4));
        let slots = Slots::new(4, process.clone());
        let mut all = slots.reserve(4).await;
        let one = all.split_one().unwrap();
        assert_eq!((all.len(), one.len()), (3, 1));
        drop(all);
        assert_eq!(process.available_permits(), 3);
        drop(one);
        assert_eq!(process.available_permits(), 4);
    }
}
