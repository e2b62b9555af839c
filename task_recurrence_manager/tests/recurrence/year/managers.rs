//! The recurrence managers of a simulation: several, differently set, on connections of their own; they die in the middle of
//! what they do, and come again.

use chrono::{DateTime, TimeDelta, Utc};
use scheduler_core::store::materialise::MaterialiseOptions;
use scheduler_core::store::templates::Reviewed;
use scheduler_core::store::{Store, StoreOptions, StoreRole};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use test_support::{Random, TestDatabase, eventually, sql};

/// How long a connection that was cut may hold its locks.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Manager {
    store: Store,
    options: MaterialiseOptions,
}

impl Manager {
    /// One that has just been started, with settings of its own.
    pub fn start(database: &TestDatabase, random: &mut Random) -> Self {
        let hours = *random.pick(&[1, 3, 8, 24]);
        let options = MaterialiseOptions {
            lookahead: Duration::from_secs(hours * 3_600),
            templates: *random.pick(&[7, 50, 200, 1_000]),
            occurrences: *random.pick(&[3, 50, 1_000]),
        };
        let pool = StoreOptions::new(database.url(), StoreRole::Durable, 2, "manager");
        Self { store: Store::connect_lazy(&pool).unwrap(), options }
    }

    pub fn lookahead(&self) -> TimeDelta {
        TimeDelta::from_std(self.options.lookahead).unwrap()
    }

    /// Plans until nothing is left to do at once.
    pub async fn drain(&self, now: DateTime<Utc>) {
        while {
            let done = self.store.materialise(now, &self.options).await.unwrap();
            assert!(done.broken.is_empty(), "{:?}", done.broken);
            done.more
        } {}
    }

    /// Plans until nothing is left at all, also what somebody else holds just now.
    pub async fn settle(&self, now: DateTime<Utc>) {
        let until = now + self.lookahead();
        let due = format!("SELECT count(*) FROM templates WHERE next_at <= '{}'", until.to_rfc3339());
        eventually(PATIENCE, || async {
            self.drain(now).await;
            (sql::number(&self.store, &due).await == 0).then_some(())
        })
        .await;
    }

    /// Begins to plan and dies after so many steps of its own, wherever that is: before, between or after the statements, or
    /// in the commit, of which nobody learns then whether it was done.
    pub async fn die_planning(&self, now: DateTime<Utc>, steps: u64) {
        Doomed { life: Box::pin(self.drain(now)), steps }.await;
    }

    /// The same in the middle of reviews.
    pub async fn die_reviewing(&self, now: DateTime<Utc>, steps: u64) {
        let reviewing = async { while self.store.review_templates(now, 10).await.unwrap().more {} };
        Doomed { life: Box::pin(reviewing), steps }.await;
    }

    /// Does some reviews.
    pub async fn review(&self, now: DateTime<Utc>, limit: usize) -> Reviewed {
        let done = self.store.review_templates(now, limit).await.unwrap();
        assert!(done.broken.is_empty(), "{:?}", done.broken);
        done
    }

    /// Does every review that has been asked for, also those that somebody else holds just now.
    pub async fn review_all(&self, now: DateTime<Utc>) {
        eventually(PATIENCE, || async {
            while self.review(now, 100).await.more {}
            (sql::number(&self.store, "SELECT count(*) FROM template_reviews").await == 0).then_some(())
        })
        .await;
    }

    pub async fn stop(self) {
        self.store.close().await;
    }
}

/// Something that ends after so many polls, done or not.
struct Doomed<F> {
    life: Pin<Box<F>>,
    steps: u64,
}

impl<F: Future<Output = ()>> Future for Doomed<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.steps == 0 {
            return Poll::Ready(());
        }
        self.steps -= 1;
        match self.life.as_mut().poll(context) {
            // Whatever it has just sent may still arrive.
            Poll::Pending if self.steps == 0 => Poll::Ready(()),
            other => other,
        }
    }
}
