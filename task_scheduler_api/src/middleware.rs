//! Around every request: its id, its problem body, its metrics, its time limit, and a task of its own.

use crate::problem::{MEDIA_TYPE, Problem};
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use metrics::{counter, gauge, histogram};
use scheduler_core::telemetry::metrics as names;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tracing::Instrument as _;
use uuid::Uuid;

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Outermost: gives the request its id and the answer its final form, and counts both.
pub async fn observe(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(request.headers());
    let instance = request.uri().path().to_owned();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!("request", request_id = %id, %method, route, merchant = tracing::field::Empty);

    gauge!(names::HTTP_REQUESTS_IN_FLIGHT).increment(1.0);
    let in_flight = InFlight;
    let response = next.run(request).instrument(span.clone()).await;
    drop(in_flight);

    let mut response = match response.status() {
        // `Allow` is not there yet.
        StatusCode::METHOD_NOT_ALLOWED => put_off(response, instance, id.clone()),
        _ => finish(response, &instance, &id, method.is_safe()),
    };
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(X_REQUEST_ID.clone(), value);
    }
    let elapsed = started.elapsed();
    record(&route, &method, response.status(), elapsed);
    span.in_scope(|| {
        tracing::debug!(status = response.status().as_u16(), elapsed_us = elapsed.as_micros() as u64, "answered")
    });
    response
}

/// Counts down even when the connection goes away in the middle.
struct InFlight;

impl Drop for InFlight {
    fn drop(&mut self) {
        gauge!(names::HTTP_REQUESTS_IN_FLIGHT).decrement(1.0);
    }
}

/// The caller's id when it is harmless, a new one otherwise.
fn request_id(headers: &HeaderMap) -> String {
    let sane = |id: &&str| {
        (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:/+=".contains(&b))
    };
    let sent = headers.get(&X_REQUEST_ID).and_then(|value| value.to_str().ok()).filter(sane);
    sent.map_or_else(|| Uuid::new_v4().to_string(), str::to_owned)
}

fn record(route: &str, method: &Method, status: StatusCode, elapsed: Duration) {
    // Methods are free text in HTTP; labels are not.
    let method = match method.as_str() {
        known @ ("GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD" | "OPTIONS") => known.to_owned(),
        _ => "other".to_owned(),
    };
    let status = status.as_u16().to_string();
    counter!(names::HTTP_REQUESTS_TOTAL, "route" => route.to_owned(), "method" => method.clone(), "status" => status)
        .increment(1);
    histogram!(names::HTTP_REQUEST_SECONDS, "route" => route.to_owned(), "method" => method)
        .record(elapsed.as_secs_f64());
}

/// A 405 whose body is still to be written: path and id of its request.
#[derive(Clone)]
struct PutOff(String, String);

fn put_off(mut response: Response, instance: String, request_id: String) -> Response {
    response.extensions_mut().insert(PutOff(instance, request_id));
    response
}

/// Around the whole router: says of a method that a path does not take which ones it takes.
pub async fn name_methods(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let Some(PutOff(instance, request_id)) = response.extensions_mut().remove() else { return response };
    let allowed = response.headers().get(header::ALLOW).and_then(|value| value.to_str().ok());
    let detail = match allowed.filter(|methods| !methods.is_empty()) {
        Some(methods) => format!("this path does not take the method; it takes {}", methods.replace(',', ", ")),
        None => "this path does not take the method".to_owned(),
    };
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
    response.extensions_mut().insert(problem);
    finish(response, &instance, &request_id, false)
}

/// Writes the body of a problem.
fn finish(mut response: Response, instance: &str, request_id: &str, is_read: bool) -> Response {
    let Some(problem) = response.extensions_mut().remove::<Problem>() else { return response };
    let problem = if is_read { problem.of_a_read() } else { problem };
    let body = serde_json::to_vec(&problem.body(instance, request_id)).unwrap_or_default();
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    Response::from_parts(parts, Body::from(body))
}

/// The answer of every path that is not there.
pub async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path; /docs lists what there is")
}

/// What requests may use up together, and each of them alone.
#[derive(Clone)]
pub struct RequestLimits {
    /// How long one may take.
    pub time: Duration,
    /// How many may be worked on at a time.
    pub places: Arc<Semaphore>,
}

impl RequestLimits {
    /// Limits of so many requests, each for so long.
    pub fn new(most: usize, time: Duration) -> Self {
        Self { time, places: Arc::new(Semaphore::new(most)) }
    }
}

/// Runs the rest of the request as a task of its own, within the time limit.
///
/// A client that hangs up drops its connection's future; the task goes on, so no transaction is ever cut off in the
/// middle and what was begun is finished or rolled back in order. A panic ends in the task as well.
///
/// Only so many are worked on at a time. What comes beyond is told so at once, while it costs next to nothing: when the
/// database is slow, waiting for it in a crowd would only use up memory and everybody's patience. Probes always get through.
pub async fn detach(State(limits): State<RequestLimits>, request: Request, next: Next) -> Response {
    let is_probe = matches!(request.uri().path(), "/health/live" | "/health/ready" | "/metrics");
    let place = Arc::clone(&limits.places).try_acquire_owned();
    if place.is_err() && !is_probe {
        counter!(names::REQUESTS_SHED_TOTAL).increment(1);
        return Problem::unavailable("overloaded", "too many requests are being worked on; try again").into_response();
    }
    // The place is given back with the work and not with the waiting.
    let work = async move { (next.run(request).await, place).0 };
    let work = tokio::spawn(work.in_current_span());
    match tokio::time::timeout(limits.time, work).await {
        Ok(Ok(response)) => response,
        // The panic hook has logged the message and the place.
        Ok(Err(_panicked)) => Problem::internal().into_response(),
        Err(_elapsed) => {
            Problem::unavailable("timeout", "the request took too long; what it began is still carried through")
                .into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use axum::Router;
    use axum::body::to_bytes;
    use axum::routing::get;
    use serde_json::Value;
    use tower::ServiceExt as _;

    async fn slow() {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }

    async fn panics() {
        panic!("a secret detail");
    }

    /// Status and body of a GET through both layers.
    async fn ask(method: &str, path: &str) -> (StatusCode, Value) {
        let app = Router::new()
            .route("/slow", get(slow))
            .route("/panics", get(panics))
            .fallback(not_found)
            .layer(axum::middleware::from_fn_with_state(RequestLimits::new(10, Duration::from_millis(20)), detach))
            .layer(axum::middleware::from_fn(observe));
        let app = Router::new().fallback_service(app).layer(axum::middleware::from_fn(name_methods));
        let request = Request::builder().method(method).uri(path).header("x-request-id", "r-1").body(Body::empty());
        let response = app.oneshot(request.unwrap()).await.unwrap();
        let status = response.status();
        assert_eq!(response.headers()[header::CONTENT_TYPE], MEDIA_TYPE);
        assert_eq!(response.headers()[&X_REQUEST_ID], "r-1");
        (status, serde_json::from_slice(&to_bytes(response.into_body(), 10_000).await.unwrap()).unwrap())
    }

    #[tokio::test]
    async fn whatever_goes_wrong_is_a_problem() {
        let cases = [
            ("GET", "/panics", 500, "internal_error"),
            ("GET", "/slow", 503, "timeout"),
            ("GET", "/nowhere", 404, "not_found"),
            ("POST", "/slow", 405, "method_not_allowed"),
        ];
        for (method, path, status, code) in cases {
            let (answered, body) = ask(method, path).await;
            assert_eq!((answered.as_u16(), body["code"].as_str()), (status, Some(code)), "{body}");
            assert_eq!((body["instance"].as_str(), body["request_id"].as_str()), (Some(path), Some("r-1")));
            assert!(!body.to_string().contains("secret"), "{body}");
            assert!(status != 405 || body["detail"].as_str().unwrap().ends_with("it takes GET, HEAD"), "{body}");
        }
    }

    #[tokio::test]
    async fn a_crowd_is_told_at_once_and_probes_get_through() {
        let limits = RequestLimits::new(1, Duration::from_secs(60));
        let app = Router::new()
            .route("/slow", get(slow))
            .route("/health/live", get(|| async { "live" }))
            .layer(axum::middleware::from_fn_with_state(limits, detach))
            .layer(axum::middleware::from_fn(observe));
        let ask = |path: &str| app.clone().oneshot(Request::builder().uri(path).body(Body::empty()).unwrap());
        let first = tokio::spawn(ask("/slow"));
        let refused = loop {
            let second = tokio::time::timeout(Duration::from_millis(50), ask("/slow")).await;
            if let Ok(answer) = second {
                break answer.unwrap();
            }
        };
        assert_eq!((refused.status().as_u16(), refused.headers()[header::RETRY_AFTER].as_bytes()), (503, &b"1"[..]));
        assert_eq!(ask("/health/live").await.unwrap().status(), 200);
        first.abort();
    }

    #[tokio::test]
    async fn an_unknown_outcome_is_told_of_changes_only() {
        let unknown = || async { Problem::unavailable(crate::problem::OUTCOME_UNKNOWN, "may be done or not") };
        let app = Router::new().route("/", get(unknown).post(unknown)).layer(axum::middleware::from_fn(observe));
        for (method, code) in [("GET", "database_unavailable"), ("POST", "outcome_unknown")] {
            let request = Request::builder().method(method).uri("/").body(Body::empty()).unwrap();
            let answer = app.clone().oneshot(request).await.unwrap();
            let body: Value = serde_json::from_slice(&to_bytes(answer.into_body(), 10_000).await.unwrap()).unwrap();
            assert_eq!(body["code"], code, "{method}");
        }
    }
}
