//! Ids in paths.

use crate::problem::Problem;
use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use std::str::FromStr;

/// The id (or name) in the path. What cannot be one is answered like one that does not exist: 404.
pub struct PathId<T>(pub T);

impl<S: Send + Sync, T: FromStr + Send> FromRequestParts<S> for PathId<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = Path::<String>::from_request_parts(parts, state).await.map(|Path(text)| text).unwrap_or_default();
        text.parse().map(Self).map_err(|_| {
            let shown: String = text.chars().filter(|c| !c.is_control()).take(64).collect();
            Problem::new(
                StatusCode::NOT_FOUND,
                "not_found",
                format!("`{shown}` is no id; ids are UUIDs, as lists show them"),
            )
        })
    }
}
