//! `GET /v1/incidents`

use crate::extract::{Caller, JobsRead, Query, time};
use crate::paging::{CursorKey, List, Page, Paging};
use crate::problem::Problem;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use scheduler_core::domain::Incident;
use scheduler_core::store::incidents::IncidentCursor;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

/// What to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListIncidents {
    /// Only those that are not resolved (true) or are (false).
    open: Option<bool>,
    /// Rows of a page, 1 to 200 (default 50).
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Incidents, opened last first
#[utoipa::path(
    get, path = "/v1/incidents", tag = "incidents",
    params(ListIncidents),
    responses((status = 200, description = "A page of incidents.", body = Page<Incident>)),
)]
pub async fn list_incidents(
    app: State<AppState>,
    caller: Caller<JobsRead>,
    query: Query<ListIncidents>,
) -> Result<Json<Page<Incident>>, Problem> {
    let Query(query) = query;
    let paging = Paging { limit: query.limit, cursor: query.cursor };
    let (limit, after) = (paging.limit()?, paging.after::<IncidentCursor>(List::Incidents)?);
    let incidents = app.store.list_incidents(caller.merchant, query.open, after, limit + 1).await?;
    Ok(Json(Page::of(List::Incidents, incidents, limit, |incident| (incident.opened_at, incident.id))))
}

impl CursorKey for (DateTime<Utc>, Uuid) {
    fn to_bytes(&self) -> Vec<u8> {
        [self.0.timestamp_micros().to_be_bytes().as_slice(), self.1.as_bytes()].concat()
    }

    fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let (at, id) = bytes.split_at_checked(8)?;
        let at = DateTime::from_timestamp_micros(i64::from_be_bytes(at.try_into().ok()?))?;
        Some((at, Uuid::from_slice(id).ok()?)).filter(|_| time::is_taken(at))
    }
}
