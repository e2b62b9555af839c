//! Wake-ups for the other services, sent in the background so that no caller waits for Redis.

use chrono::{DateTime, TimeDelta, Utc};
use metrics::counter;
use scheduler_core::domain::{JobId, MerchantId};
use scheduler_core::queue::{DueHint, HintSender, Member};
use scheduler_core::telemetry::metrics as names;
use std::time::Duration;

/// Sends hints without waiting. A lost one costs at most one sweep of whoever would have heard it.
#[derive(Clone)]
pub struct Hints {
    sender: HintSender,
    lookahead: TimeDelta,
}

impl Hints {
    /// Hints about jobs due within `lookahead`; later ones are found by the populator's sweep in time.
    pub fn new(sender: HintSender, lookahead: Duration) -> Self {
        Self { sender, lookahead: TimeDelta::from_std(lookahead).unwrap_or(TimeDelta::MAX) }
    }

    /// A hint for one job, if it is due soon enough to be worth one.
    pub fn due_hint(
        &self,
        now: DateTime<Utc>,
        (merchant, job): (MerchantId, JobId),
        run_at: DateTime<Utc>,
        priority: i16,
        lane: &str,
    ) -> Option<DueHint> {
        (run_at - now <= self.lookahead).then(|| DueHint {
            member: Member { merchant, job },
            run_at,
            priority: u8::try_from(priority).unwrap_or(9),
            lane: lane.to_owned(),
        })
    }

    /// Jobs are due, or will be soon. Call it after the commit.
    pub fn due(&self, hints: Vec<DueHint>) {
        if !hints.is_empty() {
            self.send("due", |sender| async move { sender.due(&hints).await });
        }
    }

    /// A running job was called off.
    pub fn cancel(&self, merchant: MerchantId, job: JobId) {
        self.send("cancel", move |sender| async move { sender.cancel(Member { merchant, job }).await });
    }

    /// A job that others wait for has ended.
    pub fn ending(&self) {
        self.send("ending", |sender| async move { sender.ending().await });
    }

    /// Much has become due in a lane at once.
    pub fn lane(&self, lane: String) {
        self.send("lane", |sender| async move { sender.lane(&lane).await });
    }

    /// A template was created or changed.
    pub fn template(&self) {
        self.send("template", |sender| async move { sender.template().await });
    }

    fn send<F>(&self, kind: &'static str, publish: impl FnOnce(HintSender) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        counter!(names::HINTS_SENT_TOTAL, "kind" => kind).increment(1);
        tokio::spawn(publish(self.sender.clone()));
    }
}
