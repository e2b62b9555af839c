//! A served API with a database, a Redis prefix, a merchant and a key of its own.

use chrono::{DateTime, Utc};
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use scheduler_core::config::{SecretUrl, Settings};
use scheduler_core::domain::{MerchantId, Scope, TemplateId};
use scheduler_core::health::Health;
use scheduler_core::lifecycle::{Shutdown, ShutdownTrigger};
use scheduler_core::store::Store;
use scheduler_core::store::materialise::MaterialiseOptions;
use serde_json::{Value, json};
use std::time::Duration;
use test_support::{TestDatabase, TestRedis, eventually, install_tls_provider, seed};

pub struct Api {
    pub database: TestDatabase,
    pub redis: TestRedis,
    pub merchant: MerchantId,
    base: String,
    key: String,
    client: reqwest::Client,
    _running: ShutdownTrigger,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Api {
    pub async fn start() -> Self {
        install_tls_provider();
        let (database, redis) = (TestDatabase::new().await, TestRedis::new().await);
        let merchant = seed::merchant(database.store(), "acme").await;
        let key = key_of(database.store(), merchant, &Scope::ALL).await;
        let mut settings = Settings::defaults();
        settings.database.url = SecretUrl::new(database.url());
        settings.redis.url = SecretUrl::new(redis.url());
        settings.redis.prefix = redis.prefix().to_owned();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (trigger, shutdown) = Shutdown::new();
        tokio::spawn(task_scheduler_api::serve(listener, settings, Health::new("test"), shutdown));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let api = Self { database, redis, merchant, base, key, client, _running: trigger };
        eventually(Duration::from_secs(30), || async { (api.get("/v1/templates").await.status == 200).then_some(()) })
            .await;
        api
    }

    pub fn store(&self) -> &Store {
        self.database.store()
    }

    /// The same service with another caller.
    pub fn with_key(self, key: String) -> Self {
        Self { key, ..self }
    }

    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Answer {
        let mut request = self.client.request(method, format!("{}{path}", self.base)).header("x-api-key", &self.key);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        Answer { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::Null) }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, &[], Some(body)).await
    }

    /// A POST without a body.
    pub async fn act(&self, path: &str) -> Answer {
        self.send(Method::POST, path, &[], None).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, &[], Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PATCH, path, &[], Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, &[], None).await
    }

    /// Creates a template; returns its path.
    pub async fn template(&self, body: &Value) -> String {
        let answer = self.post("/v1/templates", body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
        answer.header("location").to_owned()
    }

    /// Plans a minute ahead, as a recurrence manager does.
    pub async fn plan(&self) {
        let now = seed::database_now(self.store()).await;
        let options = MaterialiseOptions { lookahead: Duration::from_secs(60), templates: 100, occurrences: 1000 };
        while self.store().materialise(now, &options).await.unwrap().more {}
    }

    pub async fn now(&self) -> DateTime<Utc> {
        seed::database_now(self.store()).await
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The pointers of a refusal, which must be a problem with this status.
    pub fn pointers(&self, status: u16) -> Vec<String> {
        assert_eq!(self.status.as_u16(), status, "{:?}", self.body);
        assert_eq!(self.header("content-type"), "application/problem+json");
        self.body["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap().to_owned()).collect()
    }

    /// The code of a refusal with this status.
    pub fn code(&self, status: u16) -> &str {
        assert_eq!(self.status.as_u16(), status, "{:?}", self.body);
        self.body["code"].as_str().unwrap()
    }

    pub fn ok(self) -> Value {
        assert!(self.status.is_success(), "{} {:?}", self.status, self.body);
        self.body
    }
}

pub async fn key_of(store: &Store, merchant: MerchantId, scopes: &[Scope]) -> String {
    store.create_api_key(merchant, "test", scopes, None).await.unwrap().1.reveal()
}

/// The template of a path.
pub fn id_of(path: &str) -> TemplateId {
    path.rsplit('/').next().unwrap().parse().unwrap()
}

/// A template that fires every so many seconds, counted from its creation.
pub fn every(name: &str, seconds: u64) -> Value {
    json!({
        "name": name,
        "schedule": {"kind": "interval", "every_seconds": seconds, "anchor": "start"},
        "job": {"target": {"kind": "noop"}, "payload": {"n": 1}},
    })
}
