//! Every refusal and failure as RFC 9457 `application/problem+json`.
//!
//! A [`Problem`] is what a caller may see: a stable `code`, a sentence, pointers to fields. What went wrong inside is
//! logged here, once, and never shown. `instance` and `request_id` are filled in by the outermost middleware
//! ([`crate::middleware::observe`]), which also turns answers that axum makes by itself into problems.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use scheduler_core::domain::FieldError;
use scheduler_core::store::{ErrorClass, StoreError};
use serde::Serialize;
use std::borrow::Cow;
use utoipa::ToSchema;

/// Media type of every problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Code of a request about which nobody knows whether it was carried out.
pub const OUTCOME_UNKNOWN: &str = "outcome_unknown";

/// An answer that says what is wrong.
#[derive(Clone, Debug)]
pub struct Problem {
    /// HTTP status.
    pub status: StatusCode,
    /// Stable name for programs.
    pub code: &'static str,
    /// A sentence for people.
    pub detail: Cow<'static, str>,
    /// What is wrong with which field.
    pub errors: Vec<FieldError>,
    /// The job that stands in the way, where there is one.
    pub job_id: Option<uuid::Uuid>,
    /// Extra response headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// The body of a problem, as documented and as sent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem, example = json!({
    "type": "urn:task-scheduler:problem:validation_failed", "title": "Unprocessable Entity", "status": 422,
    "detail": "1 field is not valid", "instance": "/v1/jobs", "code": "validation_failed",
    "request_id": "5c0de1e5-6a0c-4b7e-9d3e-0e6c1c6a4f11",
    "errors": [{"pointer": "/target/url", "detail": "not an absolute URL; write it like https://example.com/hook"}],
}))]
pub struct ProblemBody {
    /// URN of the kind of problem; ends with `code`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status code.
    pub status: u16,
    /// A sentence that says what to change.
    pub detail: String,
    /// Path of the request.
    pub instance: String,
    /// Stable name of the problem for programs.
    pub code: String,
    /// The request's id, also in `X-Request-Id` and in the logs.
    pub request_id: String,
    /// What is wrong with which field; empty when the problem is no field's.
    pub errors: Vec<FieldError>,
    /// The job that stands in the way, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<uuid::Uuid>,
}

impl Problem {
    /// A problem without pointers.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, detail: detail.into(), errors: Vec::new(), job_id: None, headers: Vec::new() }
    }

    /// 422: fields that are readable but not valid.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [only] if only.pointer.is_empty() => only.detail.clone(),
            [only] => format!("{}: {}", only.pointer, only.detail),
            many => format!("{} fields are not valid", many.len()),
        };
        Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "validation_failed", detail) }
    }

    /// 422 for one field; `Ok` when there is nothing wrong.
    pub fn check(errors: Vec<FieldError>) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(Self::invalid(errors)) }
    }

    /// 422 for one field.
    pub fn invalid_field(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError::new(pointer, detail)])
    }

    /// 404. Also the answer for what belongs to another merchant.
    pub fn not_found(what: &str, id: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("there is no {what} {id}"))
    }

    /// 409.
    pub fn conflict(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 503 with `Retry-After: 1`.
    pub fn unavailable(code: &'static str, detail: &'static str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
            .with_header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// Nothing was done, because the database is away or too busy.
    pub fn database_unavailable() -> Self {
        Self::unavailable("database_unavailable", "the database does not answer right now; try again")
    }

    /// The same problem of a request that changes nothing: there an unknown outcome is only a missing answer.
    pub fn of_a_read(self) -> Self {
        if self.code == OUTCOME_UNKNOWN { Self::database_unavailable() } else { self }
    }

    /// 500. The cause belongs into the log, not into the answer.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal_error",
            "something went wrong on our side; the request id finds it in the logs",
        )
    }

    /// Adds the job that stands in the way.
    pub fn with_job(mut self, job: Option<impl Into<uuid::Uuid>>) -> Self {
        self.job_id = job.map(Into::into);
        self
    }

    /// Adds a header.
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The body, for a request with this path and id.
    pub fn body(&self, instance: &str, request_id: &str) -> ProblemBody {
        ProblemBody {
            kind: format!("urn:task-scheduler:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.to_string(),
            instance: instance.to_owned(),
            code: self.code.to_owned(),
            request_id: request_id.to_owned(),
            errors: self.errors.clone(),
            job_id: self.job_id,
        }
    }
}

impl IntoResponse for Problem {
    /// Status, headers and, as an extension, the problem itself; the middleware writes the body.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        for (name, value) in &self.headers {
            response.headers_mut().append(name, value.clone());
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let class = error.class();
        let error = anyhow::Error::new(error);
        match class {
            ErrorClass::Retry => {
                tracing::warn!(error = format!("{error:#}"), "the database did not answer");
                Self::database_unavailable()
            }
            ErrorClass::Unknown => {
                tracing::warn!(error = format!("{error:#}"), "the database went away; the outcome is unknown");
                Self::unavailable(
                    OUTCOME_UNKNOWN,
                    "the database went away while this was done, so it may be done or not: look, or do it again \
                     (creates with their Idempotency-Key)",
                )
            }
            ErrorClass::Data => {
                tracing::info!(error = format!("{error:#}"), "the database refused a value");
                Self::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "validation_failed",
                    "a value in the request cannot be stored",
                )
            }
            ErrorClass::Conflict | ErrorClass::Fatal => {
                tracing::error!(error = format!("{error:#}"), "a request failed");
                Self::internal()
            }
        }
    }
}
