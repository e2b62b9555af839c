//! Telling the populators what is due soon.

use chrono::TimeDelta;
use scheduler_core::clock::Clock;
use scheduler_core::queue::{DueHint, HintSender, Member};
use scheduler_core::store::materialise::MaterialisedJob;

/// Jobs due within this time are announced to the populators. Later ones are found by the sweeps that come before
/// their time anyway.
const ANNOUNCE_WITHIN: TimeDelta = TimeDelta::seconds(10);

/// Sends hints about new jobs.
#[derive(Clone)]
pub struct Announcer {
    clock: Clock,
    hints: HintSender,
}

impl Announcer {
    /// An announcer by this clock.
    pub fn new(clock: Clock, hints: HintSender) -> Self {
        Self { clock, hints }
    }

    /// Announces what is due soon, beside the loop: a Redis that does not answer must not hold it up.
    pub fn announce(&self, jobs: &[MaterialisedJob]) {
        let soon = self.clock.now() + ANNOUNCE_WITHIN;
        let due: Vec<_> = jobs.iter().filter(|job| job.run_at <= soon).map(hint).collect();
        if due.is_empty() {
            return;
        }
        let hints = self.hints.clone();
        tokio::spawn(async move { hints.due(&due).await });
    }
}

fn hint(job: &MaterialisedJob) -> DueHint {
    DueHint {
        member: Member { merchant: job.merchant, job: job.job },
        run_at: job.run_at,
        // The database holds 0 to 9.
        priority: u8::try_from(job.priority).unwrap_or(9),
        lane: job.lane.clone(),
    }
}
