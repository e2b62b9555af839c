//! Sends hints without holding up who has them: many wishes become one message, and a silent Redis only delays this task.

use scheduler_core::queue::HintSender;
use std::sync::Arc;
use tokio::sync::Notify;

/// Takes wishes for hints. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct HintPump(Arc<Wishes>);

#[derive(Default)]
struct Wishes {
    failed: Notify,
    ending: Notify,
    released: Notify,
}

impl HintPump {
    /// Tell the watchers that something failed.
    pub fn failed(&self) {
        self.0.failed.notify_one();
    }

    /// Tell the populators that a job with dependents ended.
    pub fn ending(&self) {
        self.0.ending.notify_one();
    }

    /// Tell the populators that a place under a concurrency cap is free.
    pub fn released(&self) {
        self.0.released.notify_one();
    }

    /// Sends what is wished for. Never ends; is dropped with the executor.
    pub async fn run(self, hints: HintSender) {
        loop {
            tokio::select! {
                () = self.0.failed.notified() => hints.failed().await,
                () = self.0.ending.notified() => hints.ending().await,
                () = self.0.released.notified() => hints.released().await,
            }
        }
    }
}
