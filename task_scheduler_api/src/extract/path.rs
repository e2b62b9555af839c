//! Ids in paths.

use super::time;
use crate::problem::Problem;
use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use chrono::{DateTime, SubsecRound as _, Utc};
use scheduler_core::domain::TemplateId;
use scheduler_core::store::templates::WhichOccurrence;
use std::str::FromStr;

/// The id (or name) in the path. What cannot be one is answered like one that does not exist: 404.
pub struct PathId<T>(pub T);

impl<S: Send + Sync, T: FromStr + Send> FromRequestParts<S> for PathId<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = Path::<String>::from_request_parts(parts, state).await.map(|Path(text)| text).unwrap_or_default();
        text.parse().map(Self).map_err(|_| no_such(&text, "id; ids are UUIDs, as lists show them"))
    }
}

/// One occurrence of a template: `/v1/templates/{id}/occurrences/{at}/…`, where `at` is its nominal time or `next`.
pub struct PathOccurrence {
    /// Which template.
    pub template: TemplateId,
    /// Which of its occurrences.
    pub which: WhichOccurrence,
}

impl<S: Send + Sync> FromRequestParts<S> for PathOccurrence {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let found = Path::<(String, String)>::from_request_parts(parts, state).await;
        let (id, at) = found.map(|Path(texts)| texts).unwrap_or_default();
        let template = id.parse().map_err(|_| no_such(&id, "id; ids are UUIDs, as lists show them"))?;
        if at == "next" {
            return Ok(Self { template, which: WhichOccurrence::Next });
        }
        let known = at.parse::<DateTime<Utc>>().ok().filter(|at| time::is_taken(*at));
        let at = known.ok_or_else(|| no_such(&at, "nominal time such as 2027-01-31T09:00:00Z, nor `next`"))?;
        Ok(Self { template, which: WhichOccurrence::At(at.trunc_subsecs(6)) })
    }
}

/// 404.
fn no_such(text: &str, what: &str) -> Problem {
    let shown: String = text.chars().filter(|c| !c.is_control()).take(64).collect();
    Problem::new(StatusCode::NOT_FOUND, "not_found", format!("`{shown}` is no {what}"))
}
