//! What every test starts from: a database, a Redis prefix, a merchant, and short ways to the common rows.

use scheduler_core::domain::{JobId, MerchantId, SessionId, Token};
use scheduler_core::queue::HintSender;
use scheduler_core::reconcile::{Progress, Reconcile};
use scheduler_core::store::transitions::claim::{ClaimAnswer, ClaimKey};
use scheduler_core::store::{Store, StoreOptions, StoreRole};
use std::time::Duration;
use task_failure_watcher::{Announcer, Stores};
use test_support::seed::{self, JobSeed};
use test_support::{TestDatabase, TestRedis, sql};

pub struct World {
    pub db: TestDatabase,
    pub redis: TestRedis,
    pub stores: Stores,
    pub announcer: Announcer,
    pub merchant: MerchantId,
}

impl World {
    pub async fn new() -> Self {
        let (db, redis) = (TestDatabase::new().await, TestRedis::new().await);
        let edges = StoreOptions::new(db.url(), StoreRole::Results, 4, "test");
        let stores = Stores { sweeps: db.store().clone(), edges: Store::connect_lazy(&edges).unwrap() };
        let announcer = Announcer::new(HintSender::new(redis.redis().await));
        let merchant = seed::merchant(db.store(), "acme").await;
        Self { db, redis, stores, announcer, merchant }
    }

    pub fn store(&self) -> &Store {
        self.db.store()
    }

    pub async fn execute(&self, statements: &str) {
        sql::execute(self.store(), statements).await;
    }

    pub async fn number(&self, query: &str) -> i64 {
        sql::number(self.store(), query).await
    }

    pub async fn text(&self, query: &str) -> Option<String> {
        sql::text(self.store(), query).await
    }

    pub async fn state(&self, job: JobId) -> String {
        seed::stored_state(self.store(), self.merchant, job).await.expect("the job is somewhere")
    }

    /// The reason of a finished job.
    pub async fn reason(&self, job: JobId) -> Option<String> {
        self.text(&format!("SELECT reason FROM jobs_finished WHERE id = '{job}'")).await
    }

    /// A due job.
    pub async fn job(&self) -> JobId {
        seed::job(self.store(), self.merchant).await
    }

    /// A failed job.
    pub async fn failed(&self, attempt: i32, retryable: bool) -> JobId {
        JobSeed::failed(self.merchant, attempt, retryable).insert(self.store()).await
    }

    /// `count` due jobs.
    pub async fn jobs(&self, count: usize) -> Vec<JobId> {
        let mut jobs = Vec::new();
        for _ in 0..count {
            jobs.push(self.job().await);
        }
        jobs
    }

    /// A new executor session.
    pub async fn session(&self) -> SessionId {
        let id = SessionId::random();
        self.store().open_session(id, "test", 1, &["default".to_owned()]).await.unwrap();
        id
    }

    /// Claims jobs as an executor does; all must be granted.
    pub async fn claim(&self, session: SessionId, jobs: &[JobId]) -> Vec<ClaimKey> {
        let key = |job: &JobId| ClaimKey { merchant: self.merchant, job: *job, token: Token::random() };
        let wanted: Vec<ClaimKey> = jobs.iter().map(key).collect();
        let claimed = self.db.claims_store().claim(session, &wanted, Duration::ZERO).await.unwrap();
        assert!(claimed.iter().all(|claim| matches!(claim.answer, ClaimAnswer::Granted(_))), "{claimed:?}");
        wanted
    }

    /// A session that was declared lost while it ran these jobs.
    pub async fn lost_session(&self, jobs: &[JobId]) -> Vec<ClaimKey> {
        let session = self.session().await;
        let claims = self.claim(session, jobs).await;
        self.store().end_session(session).await.unwrap();
        claims
    }
}

/// Ticks until nothing is left to do; returns how often.
pub async fn pump<R: Reconcile>(duty: &mut R) -> usize {
    for ticks in 1..10_000 {
        match duty.tick().await {
            Ok(Progress::More) => {}
            Ok(Progress::Idle) => return ticks,
            Err(error) => panic!("{:#}", error.into()),
        }
    }
    panic!("{} never comes to an end", R::NAME);
}
