//! Moves the jobs of queues that were given another lane.
//!
//! Each job carries the lane of its queue. Those that exist when the queue moves follow page by page, and so do those that
//! are still created on the old lane by a process that has not heard of it yet. Until it has followed, a job is served
//! by the executors of the old lane, if there are any; nothing is lost if there are none.

use scheduler_core::domain::{JobId, MerchantId};
use scheduler_core::reconcile::{Progress, Reconcile};
use scheduler_core::store::{Store, StoreError};
use scheduler_core::telemetry::metrics as names;
use std::collections::HashMap;
use std::time::Duration;

/// By then everybody has heard of a change, and every create that began before has ended.
const SETTLED: Duration = Duration::from_secs(60);

/// Goes through the live jobs of every merchant with a moved queue, a page per tick and queue, again and again until the
/// change is so old that a whole pass began after everybody had heard of it.
pub struct LaneMoves {
    store: Store,
    batch: usize,
    passes: HashMap<(MerchantId, String), Pass>,
}

/// One way through a merchant's jobs.
#[derive(Clone, Copy)]
struct Pass {
    after: Option<JobId>,
    /// The change was this old when the pass began.
    age: Duration,
}

impl LaneMoves {
    /// The duty; `batch` is the number of rows looked at per statement.
    pub fn new(store: Store, batch: usize) -> Self {
        Self { store, batch, passes: HashMap::new() }
    }
}

impl Reconcile for LaneMoves {
    const NAME: &'static str = "lane_moves";
    type Error = StoreError;

    async fn tick(&mut self) -> Result<Progress, StoreError> {
        let moved = self.store.moved_queues().await?;
        self.passes.retain(|(merchant, name), _| moved.iter().any(|m| m.merchant == *merchant && m.name == *name));
        let mut progress = Progress::Idle;
        for queue in moved {
            let key = (queue.merchant, queue.name.clone());
            let begin = Pass { after: None, age: queue.since };
            let mut pass = *self.passes.get(&key).filter(|pass| pass.age <= queue.since).unwrap_or(&begin);
            let (jobs, next) = self.store.move_jobs(queue.merchant, &queue.name, pass.after, self.batch).await?;
            metrics::counter!(names::JOBS_MOVED_TOTAL).increment(jobs);
            pass.after = next;
            if next.is_some() {
                progress = Progress::More;
                self.passes.insert(key, pass);
                continue;
            }
            self.passes.remove(&key);
            if pass.age >= SETTLED {
                self.store.forget_move(queue.merchant, &queue.name, SETTLED).await?;
            }
        }
        Ok(progress)
    }
}
