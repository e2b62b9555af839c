//! The request of a webhook and how redirects change it.

use super::error::RequestFailed;
use super::redirect::Hop;
use crate::targets::Attempt;
use bytes::Bytes;
use chrono::SecondsFormat;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Body, Method, Request};
use scheduler_core::domain::HttpTarget;
use url::Url;

/// A request that can be sent more than once.
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) url: Url,
    /// What the scheduler says about the attempt.
    headers: HeaderMap,
    /// What the job says; may hold credentials, so only the first origin gets it.
    own_headers: HeaderMap,
    body: Option<Bytes>,
}

impl Call {
    /// The first request of an attempt.
    pub(super) fn new(spec: &HttpTarget, attempt: &Attempt) -> Result<Self, RequestFailed> {
        let url = Url::parse(&spec.url)
            .map_err(|error| RequestFailed::for_good(format!("`{}` is not a URL: {error}", spec.url)))?;
        let method = Method::from_bytes(spec.method.as_bytes())
            .map_err(|_| RequestFailed::for_good(format!("`{}` is not a method", spec.method)))?;
        let body = attempt.payload.as_ref().map(|payload| Bytes::copy_from_slice(payload.get().as_bytes()));
        let mut own_headers = HeaderMap::with_capacity(spec.headers.len());
        for (name, value) in &spec.headers {
            let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_bytes(value.as_bytes())) else {
                return Err(RequestFailed::for_good(format!("the header `{name}` cannot be sent")));
            };
            own_headers.insert(name, value);
        }
        Ok(Self { method, url, headers: attempt_headers(attempt, body.is_some()), own_headers, body })
    }

    /// Goes on where a redirect points to.
    pub(super) fn follow(&mut self, hop: Hop) {
        if hop.leaves_origin {
            self.own_headers.clear();
        }
        if hop.drops_body {
            self.body = None;
            self.headers.remove(CONTENT_TYPE);
            self.own_headers.remove(CONTENT_TYPE);
        }
        (self.method, self.url) = (hop.method, hop.url);
    }

    /// The request to send now.
    pub(super) fn request(&self) -> Request {
        let mut request = Request::new(self.method.clone(), self.url.clone());
        *request.body_mut() = self.body.clone().map(Body::from);
        let headers = request.headers_mut();
        headers.clone_from(&self.headers);
        for (name, value) in &self.own_headers {
            headers.insert(name, value.clone());
        }
        request
    }
}

/// The headers by which a receiver tells attempts apart and repetitions of one job from different jobs.
fn attempt_headers(attempt: &Attempt, has_body: bool) -> HeaderMap {
    let job = attempt.key.job.to_string();
    let scheduled_for = attempt.scheduled_for.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    let mut headers = HeaderMap::with_capacity(8);
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    set("x-job-id", &job);
    set("x-execution-id", &attempt.key.token.to_string());
    set("x-attempt", &attempt.number.to_string());
    set("x-scheduled-for", &scheduled_for);
    set("idempotency-key", &job);
    if let Some(traceparent) = &attempt.traceparent {
        set("traceparent", traceparent);
    }
    if has_body {
        set("content-type", "application/json");
    }
    headers
}
