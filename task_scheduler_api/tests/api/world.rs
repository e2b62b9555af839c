//! A running API with a merchant, and whoever else a test needs.

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use scheduler_core::config::{SecretUrl, Settings};
use scheduler_core::domain::{ExecutionResult, JobId, MerchantId, Scope, SessionId, Token};
use scheduler_core::health::Health;
use scheduler_core::lifecycle::{Shutdown, ShutdownTrigger};
use scheduler_core::queue::hints::Topic;
use scheduler_core::queue::{Hint, HintReceiver};
use scheduler_core::store::Store;
use scheduler_core::store::transitions::claim::{ClaimAnswer, ClaimKey};
use scheduler_core::store::transitions::results::{Acceptance, AttemptReport};
use scheduler_core::store::transitions::verdict::BurialOrder;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use test_support::{TestDatabase, TestRedis, eventually, seed};

/// A patient limit for what should take moments.
pub const SOON: Duration = Duration::from_secs(10);

/// The API, its servers, one merchant with a key for everything.
pub struct World {
    pub address: SocketAddr,
    pub database: TestDatabase,
    pub redis: TestRedis,
    pub merchant: MerchantId,
    pub health: Health,
    key: String,
    client: Client,
    shutdown: ShutdownTrigger,
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.hard();
    }
}

/// An answer: status, headers, JSON body (null for none).
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Answer {
    pub async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body =
            if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(Value::String(text)) };
        Self { status, headers, body }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub fn id(&self) -> JobId {
        self.body["id"].as_str().unwrap_or_else(|| panic!("no id in {self:?}")).parse().unwrap()
    }

    /// Asserts the status and returns the body.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self.body
    }

    /// Asserts a problem with this status and code, whole and with its media type, and returns its body.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Value {
        assert_eq!((self.status.as_u16(), self.body["code"].as_str()), (status, Some(code)), "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.body["status"], status);
        assert_eq!(self.body["request_id"], self.header("x-request-id"));
        assert!(self.body["type"].as_str().unwrap().ends_with(code));
        assert!(self.body["instance"].as_str().unwrap().starts_with('/'));
        assert!(!self.body["title"].as_str().unwrap().is_empty() && !self.body["detail"].as_str().unwrap().is_empty());
        self.body
    }

    /// The same for the one field that is not valid.
    #[track_caller]
    pub fn invalid(self, pointer: &str) -> String {
        let body = self.problem(422, "validation_failed");
        assert_eq!(body["errors"][0]["pointer"], pointer, "{body}");
        body["errors"][0]["detail"].as_str().unwrap().to_owned()
    }
}

impl World {
    /// A world with the default settings.
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// A world with some settings changed.
    pub async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let world = Self::unready(change).await;
        eventually(SOON, || async { world.health.is_ready().then_some(()) }).await;
        world
    }

    /// The same without waiting until it is ready.
    pub async fn unready(change: impl FnOnce(&mut Settings)) -> Self {
        test_support::install_tls_provider();
        let (database, redis) = (TestDatabase::new().await, TestRedis::new().await);
        let merchant = seed::merchant(database.store(), "shop").await;
        let key = key(database.store(), merchant, &Scope::ALL).await;
        let mut settings = Settings::defaults();
        settings.database.url = SecretUrl::new(database.url());
        settings.redis.url = SecretUrl::new(redis.url());
        settings.redis.prefix = redis.prefix().to_owned();
        change(&mut settings);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, listening) = Shutdown::new();
        let health = Health::new("task_scheduler_api");
        // Until the service itself knows better.
        health.unhealthy("postgresql", "not started");
        tokio::spawn(task_scheduler_api::serve(listener, settings, health.clone(), listening));
        let client = Client::builder().no_proxy().build().unwrap();
        Self { address, database, redis, merchant, health, key, client, shutdown }
    }

    pub fn store(&self) -> &Store {
        self.database.store()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A request without a key.
    pub fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path))
    }

    /// A request with the merchant's key.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, path).header("x-api-key", &self.key)
    }

    pub fn api_key(&self) -> &str {
        &self.key
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path)).await
    }

    /// A POST without a body.
    pub async fn act(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::POST, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(&body)).await
    }

    /// A POST of these bytes as JSON.
    pub async fn post_raw(&self, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        Answer::of(self.request(Method::POST, path).header("content-type", "application/json").body(body)).await
    }

    /// Creates a no-op job with these fields more; panics unless it is created.
    pub async fn create(&self, fields: Value) -> JobId {
        let answer = self.post("/v1/jobs", job(fields)).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.id()
    }

    /// Another merchant and its key.
    pub async fn stranger(&self) -> (MerchantId, String) {
        let merchant = seed::merchant(self.store(), "stranger").await;
        (merchant, key(self.store(), merchant, &Scope::ALL).await)
    }

    /// Listens to hints.
    pub async fn listen(&self, topics: &[Topic]) -> HintReceiver {
        HintReceiver::subscribe(&self.redis.redis().await, topics).await.unwrap()
    }

    /// An executor that claims by hand.
    pub async fn executor(&self) -> Executor<'_> {
        let session = SessionId::random();
        self.store().open_session(session, "host", 1, &["default".to_owned()]).await.unwrap();
        Executor { world: self, session }
    }

    /// A job that has died for this reason.
    pub async fn dead(&self, fields: Value, reason: &'static str) -> JobId {
        let job = self.create(fields).await;
        let executor = self.executor().await;
        let claim = executor.claim(job).await;
        executor.finish(claim, ExecutionResult::failure("it broke", reason != "not_retryable")).await;
        let failed = self.store().failed_jobs(None, 1000).await.unwrap();
        let key = failed.iter().find(|failed| failed.key.job == job).unwrap().key;
        self.store().bury(&[BurialOrder { key, reason }]).await.unwrap();
        job
    }

    /// A job that has succeeded.
    pub async fn succeeded(&self, fields: Value) -> JobId {
        let job = self.create(fields).await;
        let executor = self.executor().await;
        let claim = executor.claim(job).await;
        executor.finish(claim, ExecutionResult::success()).await;
        job
    }
}

/// A no-op job with these fields more.
pub fn job(fields: Value) -> Value {
    let mut body = json!({"target": {"kind": "noop"}});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body
}

/// A key of a merchant with these scopes.
pub async fn key(store: &Store, merchant: MerchantId, scopes: &[Scope]) -> String {
    store.create_api_key(merchant, "test", scopes, None).await.unwrap().1.reveal()
}

/// The next hint that is not about something missed.
pub async fn next_hint(receiver: &mut HintReceiver) -> Hint {
    tokio::time::timeout(SOON, receiver.next()).await.expect("a hint comes")
}

/// What executors do, step by step.
pub struct Executor<'a> {
    world: &'a World,
    pub session: SessionId,
}

impl Executor<'_> {
    /// Claims a job that is due.
    pub async fn claim(&self, job: JobId) -> ClaimKey {
        let wish = ClaimKey { merchant: self.world.merchant, job, token: Token::random() };
        let claimed = self.world.database.claims_store().claim(self.session, &[wish], Duration::ZERO).await.unwrap();
        assert!(matches!(claimed[0].answer, ClaimAnswer::Granted(_)), "{claimed:?}");
        wish
    }

    /// Renews its session; whether that still stands.
    pub async fn renew(&self) -> bool {
        self.world.database.claims_store().renew_session(self.session, SOON).await.unwrap()
    }

    /// Reports a result.
    pub async fn finish(&self, key: ClaimKey, result: ExecutionResult) {
        let now = seed::database_now(self.world.store()).await;
        let report = AttemptReport { key, session: self.session, started_at: now, finished_at: now, result };
        let receipts = self.world.store().record_results(&[report]).await.unwrap();
        assert_eq!(receipts[0].acceptance, Acceptance::Accepted);
    }
}
