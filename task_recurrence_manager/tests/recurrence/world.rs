//! A database, a Redis prefix, a merchant and a clock that stands still until it is moved.

use chrono::{DateTime, Utc};
use scheduler_core::clock::Clock;
use scheduler_core::config::Settings;
use scheduler_core::domain::{MerchantId, Template, TemplateId};
use scheduler_core::queue::HintSender;
use scheduler_core::reconcile::{Progress, Reconcile};
use scheduler_core::store::Store;
use scheduler_core::store::templates::{LedgerEntry, LedgerQuery, TemplateChange};
use serde_json::Value;
use std::time::Duration;
use task_recurrence_manager::{Announcer, Backfiller, Materialiser, Reviewer};
use test_support::templates::{self, LiveJob};
use test_support::{TestDatabase, TestRedis, seed};

/// Where the clock of every world starts: a Monday.
pub const START: &str = "2026-05-04T10:00:00Z";

pub struct World {
    pub database: TestDatabase,
    pub redis: TestRedis,
    pub merchant: MerchantId,
    pub clock: Clock,
    pub settings: Settings,
}

impl World {
    pub async fn new() -> Self {
        let (database, redis) = (TestDatabase::new().await, TestRedis::new().await);
        let merchant = seed::merchant(database.store(), "acme").await;
        let clock = Clock::manual(time(START));
        Self { database, redis, merchant, clock, settings: Settings::defaults() }
    }

    pub fn store(&self) -> &Store {
        self.database.store()
    }

    pub async fn manager(&self) -> Materialiser {
        self.manager_on(self.store().clone()).await
    }

    pub async fn manager_on(&self, store: Store) -> Materialiser {
        let announcer = self.announcer().await;
        Materialiser::new(store, self.clock.clone(), announcer, &self.settings)
    }

    async fn announcer(&self) -> Announcer {
        Announcer::new(self.clock.clone(), HintSender::new(self.redis.redis().await))
    }

    /// Does every review that is asked for.
    pub async fn review(&self) {
        let mut reviewer = Reviewer::new(self.store().clone(), self.clock.clone(), self.announcer().await);
        while reviewer.tick().await.unwrap() == Progress::More {}
    }

    pub async fn backfiller(&self) -> Backfiller {
        Backfiller::new(self.store().clone(), self.clock.clone(), self.announcer().await)
    }

    /// One manager drives the backfills as far as they go now.
    pub async fn backfill(&self) {
        let mut backfiller = self.backfiller().await;
        while backfiller.tick().await.unwrap() == Progress::More {}
    }

    /// Creates a template now.
    pub async fn template(&self, name: &str, schedule: Value) -> Template {
        self.template_of(templates::body(name, schedule)).await
    }

    /// Creates a template now.
    pub async fn template_of(&self, body: Value) -> Template {
        templates::create(self.store(), self.merchant, self.clock.now(), body).await
    }

    /// The ledger as `(time of day, outcome)`.
    pub async fn ledger(&self, id: TemplateId) -> Vec<(String, String)> {
        let rows = templates::ledger(self.store(), self.merchant, id).await;
        rows.into_iter().map(|(at, outcome, _)| (clock_time(at), outcome)).collect()
    }

    /// The ledger as a caller of the API sees it: `(time of day, outcome)` in the order of time.
    pub async fn history(&self, id: TemplateId) -> Vec<(String, String)> {
        let query = LedgerQuery { limit: 10_000, now: self.clock.now(), ..LedgerQuery::default() };
        let entries = self.store().list_occurrences(self.merchant, id, &query).await.unwrap().unwrap();
        let shown = |entry: &LedgerEntry| (clock_time(entry.nominal_at), entry.outcome.as_str().to_owned());
        entries.iter().rev().map(shown).collect()
    }

    pub async fn change(&self, id: TemplateId, change: TemplateChange<'_>) -> u64 {
        templates::change(self.store(), self.merchant, id, self.clock.now(), change).await
    }

    /// Ends every live job of a template that is due, as an executor and a watcher would.
    pub async fn finish_due(&self, id: TemplateId, state: &str) {
        templates::finish_due(self.store(), self.merchant, id, self.clock.now(), state).await;
    }

    pub async fn live_jobs(&self, id: TemplateId) -> Vec<LiveJob> {
        templates::live_jobs(self.store(), self.merchant, id).await
    }

    /// The times of day of the live jobs.
    pub async fn live_times(&self, id: TemplateId) -> Vec<String> {
        self.live_jobs(id).await.iter().map(|job| clock_time(job.scheduled_for)).collect()
    }

    pub async fn shown(&self, id: TemplateId) -> Template {
        self.store().get_template(self.merchant, id).await.unwrap().unwrap()
    }

    pub fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// One manager ticks until there is nothing left to do; returns how many ticks did something.
    pub async fn settle(&self) -> usize {
        drain(&mut self.manager().await).await
    }
}

/// Ticks until there is nothing left to do; returns how often there was.
pub async fn drain(manager: &mut Materialiser) -> usize {
    let mut ticks = 0;
    while manager.tick().await.unwrap() == Progress::More {
        ticks += 1;
    }
    ticks
}

pub fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub fn clock_time(at: DateTime<Utc>) -> String {
    at.format("%H:%M:%S").to_string()
}

pub fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(at, outcome)| ((*at).to_owned(), (*outcome).to_owned())).collect()
}
