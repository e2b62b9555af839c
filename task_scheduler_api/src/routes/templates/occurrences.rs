//! `GET /v1/templates/{id}/occurrences`

use super::shared::not_found;
use crate::extract::{Caller, PathId, Query, TemplatesRead, time};
use crate::paging::{CursorKey, List, Page, Paging};
use crate::problem::Problem;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use scheduler_core::domain::TemplateId;
use scheduler_core::store::templates::{LedgerEntry, LedgerQuery};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// The parameters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// The earliest nominal time, inclusive.
    #[serde(default, deserialize_with = "time::optional")]
    from: Option<DateTime<Utc>>,
    /// The latest nominal time, inclusive.
    #[serde(default, deserialize_with = "time::optional")]
    to: Option<DateTime<Utc>>,
    /// Rows of a page, 1 to 200 (default 50).
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// One nominal time of a template and what became of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordedOccurrence {
    /// The nominal time.
    at: DateTime<Utc>,
    /// `dispatched` (it became a job), `skipped_overlap` (an earlier one was still live as it fell due) or `missed_window`
    /// (nobody was there to plan it in time, and a later one took its place or an hour had passed).
    outcome: String,
    /// The job, if there is one.
    job_id: Option<Uuid>,
    /// The template's version that decided.
    version: i32,
    /// When the record was made.
    recorded_at: DateTime<Utc>,
}

impl From<LedgerEntry> for RecordedOccurrence {
    fn from(entry: LedgerEntry) -> Self {
        Self {
            at: entry.nominal_at,
            outcome: entry.outcome,
            job_id: entry.job.map(Uuid::from),
            version: entry.version,
            recorded_at: entry.created_at,
        }
    }
}

/// What became of each nominal time of a template, latest first
#[utoipa::path(
    get, path = "/v1/templates/{id}/occurrences", tag = "templates",
    params(("id" = Uuid, Path, description = "The template's id"), Parameters),
    responses((status = 200, description = "A page of the ledger.", body = Page<RecordedOccurrence>))
)]
pub async fn list_occurrences(
    caller: Caller<TemplatesRead>,
    State(app): State<AppState>,
    PathId(id): PathId<TemplateId>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Page<RecordedOccurrence>>, Problem> {
    let paging = Paging { limit: parameters.limit, cursor: parameters.cursor };
    let limit = paging.limit()?;
    let before = paging.after(List::Occurrences)?;
    let query = LedgerQuery { from: parameters.from, to: parameters.to, before, limit: limit as i64 + 1 };
    let entries = app.store.list_occurrences(caller.merchant, id, &query).await?.ok_or_else(|| not_found(id))?;
    let rows = entries.into_iter().map(RecordedOccurrence::from).collect();
    Ok(Json(Page::of(List::Occurrences, rows, limit, |row: &RecordedOccurrence| row.at)))
}

impl CursorKey for DateTime<Utc> {
    fn to_bytes(&self) -> Vec<u8> {
        self.timestamp_micros().to_be_bytes().to_vec()
    }

    fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        DateTime::from_timestamp_micros(i64::from_be_bytes(bytes.try_into().ok()?)).filter(|at| time::is_taken(*at))
    }
}
