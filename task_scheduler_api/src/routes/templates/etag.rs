//! `ETag` and `If-Match`: the version of a template or a calendar.

use crate::problem::Problem;
use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use scheduler_core::domain::{NamedCalendar, Template};
use serde::Serialize;
use std::convert::Infallible;

/// The versions that the caller's `If-Match` allows; `None` when it allows any.
pub struct IfMatch(pub Option<Vec<i32>>);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self(versions(&parts.headers)))
    }
}

impl IfMatch {
    /// The versions as the store takes them.
    pub fn versions(&self) -> Option<&[i32]> {
        self.0.as_deref()
    }

    /// 412 unless this version is allowed.
    pub fn check(&self, current: i32) -> Result<(), Problem> {
        match &self.0 {
            Some(versions) if !versions.contains(&current) => Err(mismatch(current)),
            _ => Ok(()),
        }
    }
}

/// No header, or `*`: any. Weak tags never match, and what is no version of ours matches nothing.
fn versions(headers: &HeaderMap) -> Option<Vec<i32>> {
    let mut values = headers.get_all(header::IF_MATCH).into_iter().peekable();
    values.peek()?;
    let tags: Vec<&str> =
        values.filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(',')).map(str::trim).collect();
    if tags.contains(&"*") {
        return None;
    }
    Some(tags.iter().filter_map(|tag| tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok()).collect())
}

/// 412: somebody else was first.
pub fn mismatch(current: i32) -> Problem {
    changed("template", current)
}

/// 412 for a thing of this kind.
pub fn changed(what: &str, current: i32) -> Problem {
    let detail =
        format!("the {what} has version {current} now, which If-Match does not allow; read it again and decide anew");
    let problem = Problem::new(StatusCode::PRECONDITION_FAILED, "version_mismatch", detail);
    let (name, value) = etag(current);
    problem.with_header(name, value)
}

/// What has versions.
pub trait Versioned: Serialize {
    /// The version that is shown.
    fn version(&self) -> i32;
}

impl Versioned for Template {
    fn version(&self) -> i32 {
        self.version
    }
}

impl Versioned for NamedCalendar {
    fn version(&self) -> i32 {
        self.version
    }
}

/// A template (or what else has versions) with its `ETag`.
pub struct Tagged<T = Template>(pub StatusCode, pub T);

impl<T: Versioned> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let Self(status, shown) = self;
        (status, [etag(shown.version())], Json(shown)).into_response()
    }
}

/// The header of a version.
pub fn etag(version: i32) -> (HeaderName, HeaderValue) {
    let value = HeaderValue::from_str(&format!("\"{version}\"")).expect("digits and quotes can stand in a header");
    (header::ETAG, value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(values: &[&str]) -> Option<Vec<i32>> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::IF_MATCH, HeaderValue::from_str(value).unwrap());
        }
        versions(&headers)
    }

    #[test]
    fn if_match_is_a_list_of_strong_tags_or_a_star() {
        assert_eq!(read(&[]), None);
        assert_eq!(read(&["*"]), None);
        assert_eq!(read(&["\"3\""]), Some(vec![3]));
        assert_eq!(read(&["\"3\", \"4\"", "\"7\""]), Some(vec![3, 4, 7]));
        assert_eq!(read(&["W/\"3\""]), Some(vec![]), "weak tags never match");
        assert_eq!(read(&["3"]), Some(vec![]));
        assert_eq!(read(&[""]), Some(vec![]));
    }
}
