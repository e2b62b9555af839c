//! The REST API, called with a merchant's key.

use crate::cli::Globals;
use crate::dev_env::DevEnv;
use anyhow::Context as _;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;
use std::time::Duration;

/// A merchant's view of one scheduler.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    key: String,
}

impl Client {
    /// Takes URL and key from flags, environment, or the nearest `.dev/env`.
    pub fn new(globals: &Globals) -> anyhow::Result<Self> {
        let dev = DevEnv::find();
        let missing = |what: &str, name: &str, flag: &str| {
            format!("{what} is not known: set {name}, give {flag}, or run `make dev` in this folder")
        };
        let base = globals.url.clone().or_else(|| dev.get("SCHEDULER_URL").map(str::to_owned));
        let key = globals.api_key.clone().or_else(|| dev.get("SCHEDULER_API_KEY").map(str::to_owned));
        Ok(Self {
            http: reqwest::Client::builder().timeout(Duration::from_secs(60)).no_proxy().build()?,
            base: base
                .with_context(|| missing("the API's URL", "SCHEDULER_URL", "--url"))?
                .trim_end_matches('/')
                .to_owned(),
            key: key.with_context(|| missing("the API key", "SCHEDULER_API_KEY", "--api-key"))?,
        })
    }

    /// A request to `path`, with the key.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).header("x-api-key", &self.key)
    }

    /// `GET`.
    pub async fn get(&self, path: &str, query: &[(&str, String)]) -> anyhow::Result<Value> {
        self.send(self.request(Method::GET, path).query(query)).await
    }

    /// `POST` with a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    /// `PATCH` with a JSON body.
    pub async fn patch(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send(self.request(Method::PATCH, path).json(body)).await
    }

    /// `PUT` with a JSON body.
    pub async fn put(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send(self.request(Method::PUT, path).json(body)).await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> anyhow::Result<Value> {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// Sends; an error answer becomes an error that says what the API said.
    pub async fn send(&self, request: RequestBuilder) -> anyhow::Result<Value> {
        let answer = request.send().await.map_err(|error| self.explain_silence(error))?;
        let status = answer.status();
        let body = answer.bytes().await.context("the answer broke off")?;
        if status == StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        let body: Value =
            serde_json::from_slice(&body).with_context(|| format!("{status} with something that is no JSON"))?;
        if !status.is_success() {
            return Err(ApiError { status, problem: body }.into());
        }
        Ok(body)
    }
}

impl Client {
    fn explain_silence(&self, error: reqwest::Error) -> anyhow::Error {
        let base = &self.base;
        if error.is_builder() {
            anyhow::anyhow!("{base} is not a URL to call; write it like http://127.0.0.1:8080")
        } else if error.is_connect() {
            anyhow::anyhow!(
                "nothing answers at {base}; does the scheduler run? (`make dev` starts one, --url names another)"
            )
        } else {
            anyhow::Error::from(error.without_url()).context(format!("no answer from {base}"))
        }
    }
}

/// An answer that is a refusal or a failure.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    problem: Value,
}

impl ApiError {
    /// The fields that are not valid.
    pub fn pointers(&self) -> Vec<&str> {
        self.errors().filter_map(|error| error.get("pointer")?.as_str()).collect()
    }

    fn errors(&self) -> impl Iterator<Item = &Value> {
        self.problem.get("errors").and_then(Value::as_array).into_iter().flatten()
    }
}

impl std::error::Error for ApiError {}

/// The problem in words.
impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |name: &str| self.problem.get(name).and_then(Value::as_str);
        let sentence = text("detail").or(text("title")).unwrap_or("no explanation");
        write!(f, "{}: {sentence}", self.status)?;
        for error in self.errors() {
            let field = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
            if !(sentence.contains(field("detail")) && sentence.contains(field("pointer"))) {
                write!(f, "\n  {} {}", field("pointer"), field("detail"))?;
            }
        }
        Ok(())
    }
}
