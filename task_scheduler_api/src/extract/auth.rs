//! Who calls: `x-api-key` to merchant and scopes.

use crate::problem::Problem;
use crate::state::AppState;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use scheduler_core::domain::{ApiKeySecret, MerchantId, Scope};
use std::marker::PhantomData;
use std::sync::atomic::Ordering;

/// A scope as a type, so that a handler names what it needs in its signature and cannot forget to ask.
pub trait RequiredScope: Send + Sync {
    /// The scope.
    const SCOPE: Scope;
}

macro_rules! required_scopes {
    ($($name:ident),*) => { $(
        #[doc = concat!("Asks for [`Scope::", stringify!($name), "`].")]
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl RequiredScope for $name {
            const SCOPE: Scope = Scope::$name;
        }
    )* };
}
required_scopes!(JobsRead, JobsWrite, TemplatesRead, TemplatesWrite, QueuesRead, QueuesWrite);

/// An authenticated caller whose key has the scope `S`.
#[derive(Clone, Debug)]
pub struct Caller<S> {
    /// The tenant: every query of the handler is bounded by it.
    pub merchant: MerchantId,
    /// Public id of the key, for logs.
    pub key_id: String,
    scope: PhantomData<S>,
}

impl<S: RequiredScope> FromRequestParts<AppState> for Caller<S> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Problem> {
        if !app.started.load(Ordering::Acquire) {
            return Err(Problem::unavailable(
                "starting",
                "the service is starting and does not reach its database yet; try again",
            ));
        }
        let sent = parts.headers.get("x-api-key").and_then(|value| value.to_str().ok());
        let secret = sent.and_then(ApiKeySecret::parse).ok_or_else(unauthorized)?;
        // Whatever keeps the key from being read, nothing was done yet.
        let key = app.keys.look_up(&app.store, &secret.id).await.map_err(|error| Problem::from(error).of_a_read())?;
        let key = key.ok_or_else(unauthorized)?;
        let now = app.clock.now();
        if !key.accepts(&secret, now) {
            return Err(unauthorized());
        }
        app.keys.used(&key.id, now);
        if !key.scopes.contains(&S::SCOPE) {
            return Err(forbidden(S::SCOPE));
        }
        tracing::Span::current().record("merchant", key.merchant.to_string());
        Ok(Self { merchant: key.merchant, key_id: key.id.clone(), scope: PhantomData })
    }
}

/// One sentence for every reason: whether a key exists, expired or was revoked is nobody's business.
fn unauthorized() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "unauthorized",
        "send a valid API key in the x-api-key header; this one is missing, unknown, expired or revoked",
    )
    .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("ApiKey"))
}

fn forbidden(scope: Scope) -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "missing_scope",
        format!("the API key lacks the scope `{}`; use a key that has it", scope.as_str()),
    )
}
