//! What an execution does.

use super::FieldError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Kinds that are specified but not built yet. Named so that the refusal can say so.
pub const LATER_KINDS: [&str; 4] = ["grpc", "publish", "process", "external"];

/// Headers that the executor sets itself or that describe the connection.
const RESERVED_HEADERS: [&str; 14] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "upgrade",
    "te",
    "trailer",
    "x-job-id",
    "x-execution-id",
    "x-attempt",
    "x-scheduled-for",
    "idempotency-key",
    "traceparent",
    "expect",
];

/// What an execution does.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Target {
    /// Calls a webhook.
    Http(HttpTarget),
    /// Succeeds at once inside the executor; for benchmarks and rehearsals.
    Noop(NoopTarget),
}

/// No settings.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoopTarget {}

/// A webhook.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpTarget {
    /// `GET`, `POST` (default), `PUT`, `PATCH` or `DELETE`.
    #[serde(default = "HttpTarget::default_method")]
    pub method: String,
    /// Absolute `http` or `https` URL.
    pub url: String,
    /// Extra request headers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Retry on answers that would dead-letter at once (4xx other than 408, 425 and 429).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retry_client_errors: bool,
}

impl HttpTarget {
    fn default_method() -> String {
        "POST".to_owned()
    }
}

impl Target {
    /// The kind's name.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::Noop(_) => "noop",
        }
    }

    /// Everything wrong with the target; pointers are relative to it.
    pub fn validate(&self) -> Vec<FieldError> {
        match self {
            Self::Http(http) => http.validate(),
            Self::Noop(_) => Vec::new(),
        }
    }
}

impl HttpTarget {
    fn validate(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if !["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&self.method.as_str()) {
            errors.push(FieldError::new(
                "/method",
                format!("`{}` is not allowed; use GET, POST, PUT, PATCH or DELETE (upper case)", self.method),
            ));
        }
        errors.extend(validate_url(&self.url));
        for (name, value) in &self.headers {
            errors.extend(validate_header(name, value));
        }
        if self.headers.len() > 64 {
            errors.push(FieldError::new("/headers", "more than 64 headers; send fewer"));
        }
        errors
    }
}

fn validate_url(text: &str) -> Option<FieldError> {
    if text.len() > 2048 {
        return Some(FieldError::new("/url", "longer than 2048 bytes; shorten it or move data into the payload"));
    }
    let problem = match url::Url::parse(text) {
        Err(error) => format!("not an absolute URL ({error}); write it like https://example.com/hook"),
        Ok(url) if !matches!(url.scheme(), "http" | "https") => {
            format!("the scheme `{}` is not allowed; use http or https", url.scheme())
        }
        Ok(url) if url.host_str().is_none_or(str::is_empty) => "has no host".to_owned(),
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            "carries a user name or password; send an Authorization header instead".to_owned()
        }
        Ok(_) => return None,
    };
    Some(FieldError::new("/url", problem))
}

fn validate_header(name: &str, value: &str) -> Option<FieldError> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let problem = if name.is_empty() || !name.bytes().all(token) {
        "not a header name (RFC 9110 token)"
    } else if RESERVED_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
        "set by the scheduler itself; leave it out"
    } else if !value.bytes().all(|b| b == b'\t' || (b >= 0x20 && b != 0x7f)) {
        "the value has control characters; remove them"
    } else if value.len() > 8192 {
        "the value is longer than 8192 bytes"
    } else {
        return None;
    };
    let escaped = name.replace('~', "~0").replace('/', "~1");
    Some(FieldError::new(format!("/headers/{escaped}"), problem))
}
