//! Tells the populators what has happened. Always after the commit; best effort, with a sweep behind it.

use scheduler_core::queue::{DueHint, HintSender, Member};
use scheduler_core::store::transitions::verdict::Retried;

/// Sends hints about jobs that wait again or have ended. Cheap to clone.
#[derive(Clone)]
pub struct Announcer {
    hints: HintSender,
}

impl Announcer {
    /// An announcer over a sender.
    pub fn new(hints: HintSender) -> Self {
        Self { hints }
    }

    /// Jobs wait for another attempt.
    pub async fn due(&self, jobs: &[Retried]) {
        let due: Vec<DueHint> = jobs.iter().map(due_hint).collect();
        self.hints.due(&due).await;
    }

    /// Jobs have ended; `has_dependents` when others wait for one of them.
    pub async fn ended(&self, has_dependents: bool) {
        if has_dependents {
            self.hints.ending().await;
        }
    }

    /// Claims are gone; `caps` when some of them had a place under a concurrency cap.
    pub async fn released(&self, caps: bool) {
        if caps {
            self.hints.released().await;
        }
    }
}

fn due_hint(job: &Retried) -> DueHint {
    DueHint {
        member: Member { merchant: job.merchant, job: job.job },
        run_at: job.run_at,
        priority: job.priority,
        lane: job.lane.clone(),
    }
}
