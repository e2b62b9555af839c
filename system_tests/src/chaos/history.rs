//! What was asked and what was answered: the only thing that the system may be held to.

use super::wall_clock;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use std::sync::Arc;
use uuid::Uuid;

/// What was asked.
#[derive(Clone, PartialEq, Debug)]
pub enum Call {
    /// One job, or several together, each known by its `external_id`.
    Create {
        /// One per job.
        external_ids: Vec<String>,
        /// The request's idempotency key.
        key: Option<String>,
        /// What they wait for.
        parents: Vec<Uuid>,
    },
    /// Call a job off.
    Cancel(Uuid),
    /// Make a job due now.
    RunNow(Uuid),
    /// Run a dead letter again.
    Redrive(Uuid),
    /// A template that fires each so many seconds since the epoch.
    Template {
        /// The period.
        every_seconds: i64,
        /// How many of its occurrences may run at once; none: any number.
        limit: Option<usize>,
    },
    /// End a template.
    DeleteTemplate(Uuid),
    /// Limit the queue that the load limits.
    LimitQueue,
}

/// What was answered.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// 2xx with these ids.
    Done(u16, Vec<Uuid>),
    /// 4xx: nothing was to happen.
    Refused(u16),
    /// 5xx, or nothing: it may have happened or not.
    Unknown,
}

/// One call with its answer.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Index of the merchant.
    pub merchant: usize,
    /// What was asked.
    pub call: Call,
    /// Just before.
    pub sent: DateTime<Utc>,
    /// Just after the answer, or when it was given up.
    pub ended: DateTime<Utc>,
    /// What was answered.
    pub answer: Answer,
}

impl Operation {
    /// The ids that were acknowledged.
    pub fn acknowledged(&self) -> &[Uuid] {
        ids_of(&self.answer)
    }
}

/// The ids that an answer acknowledges.
pub fn ids_of(answer: &Answer) -> &[Uuid] {
    match answer {
        Answer::Done(_, ids) => ids,
        Answer::Refused(_) | Answer::Unknown => &[],
    }
}

/// The calls so far; cheap to clone.
#[derive(Clone, Default)]
pub struct History(Arc<Mutex<Vec<Operation>>>);

impl History {
    /// Notes a call that was sent at `sent` and has its answer now.
    pub fn note(&self, merchant: usize, call: Call, sent: DateTime<Utc>, answer: Answer) {
        self.0.lock().push(Operation { merchant, call, sent, ended: wall_clock(), answer });
    }

    /// All of them.
    pub fn operations(&self) -> Vec<Operation> {
        self.0.lock().clone()
    }
}
