//! A merchant with a session that claims and reports.

use scheduler_core::domain::{ExecutionResult, JobId, MerchantId, Outcome, SessionId, Token};
use scheduler_core::store::transitions::claim::{ClaimAnswer, ClaimKey, Claimed};
use scheduler_core::store::transitions::results::{AttemptReport, Receipt};
use scheduler_core::store::{Store, StoreOptions, StoreRole};
use std::time::Duration;
use test_support::seed::{self, JobSeed};
use test_support::{TestDatabase, sql};

pub struct World {
    pub db: TestDatabase,
    pub merchant: MerchantId,
    pub session: SessionId,
    /// As the reporter of an executor and the edges of a watcher use it.
    pub results: Store,
}

/// The answer without what comes with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Said {
    Granted,
    OverCap,
    Other,
}

impl World {
    pub async fn new() -> Self {
        let db = TestDatabase::new().await;
        let merchant = seed::merchant(db.store(), "acme").await;
        let session = SessionId::random();
        db.claims_store().open_session(session, "test", 1, &["default".to_owned()]).await.unwrap();
        let results = Store::connect_lazy(&StoreOptions::new(db.url(), StoreRole::Results, 6, "test")).unwrap();
        let world = Self { db, merchant, session, results };
        world.db.store().ensure_queues(merchant, &["default"]).await.unwrap();
        world
    }

    pub fn store(&self) -> &Store {
        self.db.store()
    }

    pub async fn job(&self) -> JobId {
        seed::job(self.store(), self.merchant).await
    }

    pub async fn keyed_job(&self, key: &str) -> JobId {
        JobSeed { concurrency_key: Some(key.to_owned()), ..JobSeed::due(self.merchant) }.insert(self.store()).await
    }

    pub fn key(&self, job: JobId) -> ClaimKey {
        ClaimKey { merchant: self.merchant, job, token: Token::random() }
    }

    pub async fn claim(&self, keys: &[ClaimKey]) -> Vec<Claimed> {
        self.db.claims_store().claim(self.session, keys, Duration::ZERO).await.unwrap()
    }

    /// What was said about each of the keys, in their order.
    pub async fn said(&self, keys: &[ClaimKey]) -> Vec<Said> {
        let answers = self.claim(keys).await;
        let said = |key: &ClaimKey| match &answers.iter().find(|claimed| claimed.key == *key).unwrap().answer {
            ClaimAnswer::Granted(_) => Said::Granted,
            ClaimAnswer::OverCap => Said::OverCap,
            _ => Said::Other,
        };
        keys.iter().map(said).collect()
    }

    pub async fn said_one(&self, key: ClaimKey) -> Said {
        self.said(&[key]).await[0]
    }

    /// Claims a job that must be granted.
    pub async fn run(&self, job: JobId) -> ClaimKey {
        let key = self.key(job);
        assert_eq!(self.said_one(key).await, Said::Granted);
        key
    }

    pub async fn report(&self, key: ClaimKey, result: ExecutionResult) -> Receipt {
        let now = seed::database_now(self.store()).await;
        let report = AttemptReport { key, session: self.session, started_at: now, finished_at: now, result };
        self.results.record_results(&[report]).await.unwrap()[0]
    }

    pub async fn succeed(&self, key: ClaimKey) -> Receipt {
        self.report(key, ExecutionResult::success()).await
    }

    pub async fn fail(&self, key: ClaimKey) -> Receipt {
        self.report(key, ExecutionResult::failure("no", true)).await
    }

    pub async fn confirm_cancel(&self, key: ClaimKey) -> Receipt {
        let result = ExecutionResult { outcome: Outcome::Cancelled, ..ExecutionResult::failure("called off", false) };
        self.report(key, result).await
    }

    pub async fn number(&self, query: &str) -> i64 {
        sql::number(self.store(), query).await
    }

    pub async fn execute(&self, statements: &str) {
        sql::execute(self.store(), statements).await;
    }

    /// What the counters say, all together.
    pub async fn counted(&self) -> i64 {
        self.number("SELECT coalesce(sum(running), 0) FROM cap_counters").await
    }
}
