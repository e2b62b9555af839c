//! The `Idempotency-Key` header, and answers that are given a second time.

use crate::problem::Problem;
use crate::state::App;
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use scheduler_core::domain::job_spec::validate_key;
use scheduler_core::store::idempotency::{IdempotencyKey, KeyHolder, StoredAnswer};
use sha2::{Digest as _, Sha256};

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
static REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The header's value with the request's method and path, which the stored hash covers too.
pub struct Idempotency {
    key: Option<String>,
    request: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Idempotency {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let key = parts.headers.get(&IDEMPOTENCY_KEY).map(parse).transpose()?;
        Ok(Self { key, request: format!("{} {}", parts.method, parts.uri.path()) })
    }
}

fn parse(value: &HeaderValue) -> Result<String, Problem> {
    let text = value.to_str().unwrap_or_default().trim();
    // The draft standard writes it as a quoted string; most clients do not.
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    match validate_key(text) {
        None => Ok(text.to_owned()),
        Some(why) => {
            let detail = format!("the Idempotency-Key header {why}");
            Err(Problem::new(StatusCode::BAD_REQUEST, "bad_idempotency_key", detail))
        }
    }
}

impl Idempotency {
    /// The key of a request with this body, if it carries one.
    pub fn key_for(self, app: &App, body: &[u8], now: DateTime<Utc>) -> Option<IdempotencyKey> {
        let key = self.key?;
        let mut hash = Sha256::new();
        hash.update(self.request.as_bytes());
        hash.update([0]);
        hash.update(body);
        let kept = TimeDelta::from_std(app.settings.api.idempotency_ttl).unwrap_or(TimeDelta::days(3));
        Some(IdempotencyKey { key, request_hash: hash.finalize().into(), expires_at: now + kept })
    }
}

/// The answer to a request whose key was used before.
pub fn answer(holder: KeyHolder) -> Result<Response, Problem> {
    match holder {
        KeyHolder::Same(answer) => Ok(replay(answer)),
        KeyHolder::Other => Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency_key_reused",
            "this Idempotency-Key was used with another request; give each request a key of its own",
        )),
    }
}

fn replay(answer: StoredAnswer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::CREATED);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(REPLAYED.clone(), HeaderValue::from_static("true"));
    response
}
