//! A body: read whole within a limit, then decoded.

use super::decode;
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// The largest body of a route, in bytes; a layer puts it into the request.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimit(pub usize);

/// Used where no layer says otherwise.
const DEFAULT_LIMIT: BodyLimit = BodyLimit(2 << 20);

/// How much of a body that is too large is read and thrown away, so that a client that only listens once it has sent
/// everything still hears why.
const DRAIN_BYTES: usize = 64 << 20;
/// And for how long.
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// A decoded JSON body, with the bytes that it came from (idempotency compares them).
pub struct JsonBody<T> {
    /// The decoded value; its types are right, its values are not checked yet.
    pub value: T,
    /// The body as sent.
    pub bytes: Bytes,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        require_json(request.headers())?;
        let BodyLimit(limit) = request.extensions().get().copied().unwrap_or(DEFAULT_LIMIT);
        let (parts, body) = request.into_parts();
        let bytes = read(&parts.headers, body, limit).await?;
        Ok(Self { value: decode::json(&bytes)?, bytes })
    }
}

/// A JSON body that may be left out: nothing means the same as `{}`.
pub struct OptionalBody<T> {
    /// The decoded value; its types are right, its values are not checked yet.
    pub value: T,
    /// The body as sent.
    pub bytes: Bytes,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for OptionalBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let BodyLimit(limit) = request.extensions().get().copied().unwrap_or(DEFAULT_LIMIT);
        let (parts, body) = request.into_parts();
        let bytes = read(&parts.headers, body, limit).await?;
        if bytes.trim_ascii().is_empty() {
            return Ok(Self { value: decode::json(b"{}")?, bytes: Bytes::new() });
        }
        require_json(&parts.headers)?;
        Ok(Self { value: decode::json(&bytes)?, bytes })
    }
}

/// A body of plain text, whatever the client calls it (`curl --data-binary` calls it a form).
pub struct TextBody(pub String);

impl<S: Send + Sync> FromRequest<S> for TextBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let BodyLimit(limit) = request.extensions().get().copied().unwrap_or(DEFAULT_LIMIT);
        let (parts, body) = request.into_parts();
        let bytes = read(&parts.headers, body, limit).await?;
        let not_text = |error: std::str::Utf8Error| {
            let detail = format!("the body is not UTF-8 text (first bad byte at offset {})", error.valid_up_to());
            Problem::new(StatusCode::BAD_REQUEST, "malformed_text", detail)
        };
        std::str::from_utf8(&bytes).map(|text| Self(text.to_owned())).map_err(not_text)
    }
}

fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let sent = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = sent.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json")) {
        return Ok(());
    }
    let said =
        if sent.is_empty() { "the request has no Content-Type".to_owned() } else { format!("the body is `{essence}`") };
    Err(Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        format!("{said}; send JSON with Content-Type: application/json"),
    ))
}

async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Problem> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    let mut stream = body.into_data_stream();
    let mut bytes = BytesMut::with_capacity(announced.unwrap_or(0).min(limit));
    if announced.is_none_or(|length| length <= limit) {
        loop {
            let Some(chunk) = stream.next().await else { return Ok(bytes.freeze()) };
            let chunk = chunk.map_err(|_| incomplete())?;
            if bytes.len() + chunk.len() > limit {
                break;
            }
            bytes.extend_from_slice(&chunk);
        }
    }
    drop(bytes);
    // Who asks before sending has not sent anything yet.
    if !headers.contains_key(header::EXPECT) {
        let _what_is_left_does_not_matter = tokio::time::timeout(DRAIN_TIME, drain(stream)).await;
    }
    Err(Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body_too_large",
        format!("the body is larger than {limit} bytes; send less, or several requests"),
    ))
}

async fn drain(mut stream: axum::body::BodyDataStream) {
    let mut dropped = 0;
    while let Some(Ok(chunk)) = stream.next().await {
        dropped += chunk.len();
        if dropped > DRAIN_BYTES {
            return;
        }
    }
}

fn incomplete() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "incomplete_body", "the connection ended before the body did")
}
