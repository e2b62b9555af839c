//! `GET /v1/templates/{id}/occurrences`

use super::shared::not_found;
use crate::extract::{Caller, PathId, Query, TemplatesRead, time};
use crate::paging::{CursorKey, List, Page, Paging};
use crate::problem::Problem;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use scheduler_core::domain::{OccurrenceOutcome, TemplateId};
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
    /// What became of it.
    outcome: OccurrenceOutcome,
    /// More than the outcome says, where there is more: the calendar, the freeze window, `catch_up`, `moved`.
    reason: Option<String>,
    /// The job, if there is one.
    job_id: Option<Uuid>,
    /// Where somebody has moved its start; the nominal time stays its name.
    moved_to: Option<DateTime<Utc>>,
    /// The backfill that made its job.
    backfill_id: Option<Uuid>,
    /// The template's version that decided.
    version: i32,
    /// When the record was made; for the times of a pause, the time itself.
    recorded_at: DateTime<Utc>,
    /// Seconds from the nominal time to the start of its job (of its last attempt); without a job, how late the record was
    /// made. Null as long as the job has not started.
    lag_seconds: Option<f64>,
}

impl From<LedgerEntry> for RecordedOccurrence {
    fn from(entry: LedgerEntry) -> Self {
        Self {
            at: entry.nominal_at,
            outcome: entry.outcome,
            reason: entry.reason,
            job_id: entry.job.map(Uuid::from),
            moved_to: entry.moved_to,
            backfill_id: entry.backfill,
            version: entry.version,
            recorded_at: entry.created_at,
            lag_seconds: entry.lag.map(|lag| lag.as_seconds_f64()),
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
    let query =
        LedgerQuery { from: parameters.from, to: parameters.to, before, limit: limit as i64 + 1, now: app.clock.now() };
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
