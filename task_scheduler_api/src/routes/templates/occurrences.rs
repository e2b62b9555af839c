//! `GET /v1/templates/{id}/occurrences`

use super::future::Future;
use super::shared::not_found;
use crate::extract::{Caller, PathId, Query, TemplatesRead, time};
use crate::paging::{CursorKey, List, Page, Paging};
use crate::problem::Problem;
use crate::state::{App, AppState};
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use scheduler_core::domain::{MerchantId, OccurrenceOutcome, TemplateId};
use scheduler_core::schedule::{Occurrence, Suppression};
use scheduler_core::store::templates::{ChangedOccurrence, LedgerEntry, LedgerQuery};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
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
    /// The latest nominal time, inclusive. If it lies ahead, times that are not recorded yet are listed, too.
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
    /// What became of it: `dispatched`, `skipped_overlap`, `skipped_calendar`, `skipped_user`, `skipped_dst_gap`,
    /// `missed_window`, `missed_paused`, `dropped_quota` or `backfilled`. Of a time to come that is not recorded yet: `planned`,
    /// or what its schedule makes of it.
    #[schema(example = "dispatched")]
    outcome: &'static str,
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
    /// When the record was made; for the times of a pause, the time itself; null for what is not recorded yet.
    recorded_at: Option<DateTime<Utc>>,
    /// Seconds from the nominal time to the start of its job (of its last attempt); without a job, how late the record was
    /// made. Null as long as the job has not started.
    lag_seconds: Option<f64>,
}

impl From<LedgerEntry> for RecordedOccurrence {
    fn from(entry: LedgerEntry) -> Self {
        Self {
            at: entry.nominal_at,
            outcome: entry.outcome.as_str(),
            reason: entry.reason,
            job_id: entry.job.map(Uuid::from),
            moved_to: entry.moved_to,
            backfill_id: entry.backfill,
            version: entry.version,
            recorded_at: Some(entry.created_at),
            lag_seconds: entry.lag.map(|lag| lag.as_seconds_f64()),
        }
    }
}

impl From<ChangedOccurrence> for RecordedOccurrence {
    fn from(changed: ChangedOccurrence) -> Self {
        let ChangedOccurrence { nominal_at, entry, version, .. } = changed;
        entry.map_or_else(|| Self::unrecorded(nominal_at, "planned", version), Self::from)
    }
}

impl RecordedOccurrence {
    /// A time to come that nothing is recorded of yet.
    fn unrecorded(at: DateTime<Utc>, outcome: &'static str, version: i32) -> Self {
        Self {
            at,
            outcome,
            reason: None,
            job_id: None,
            moved_to: None,
            backfill_id: None,
            version,
            recorded_at: None,
            lag_seconds: None,
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
    let recorded = entries.into_iter().map(RecordedOccurrence::from).collect();
    let rows = match parameters.to.filter(|to| *to > query.now) {
        Some(to) => merged(recorded, planned(&app, caller.merchant, id, &query, to).await?, limit + 1),
        None => recorded,
    };
    Ok(Json(Page::of(List::Occurrences, rows, limit, |row: &RecordedOccurrence| row.at)))
}

/// The latest times up to `to` that nothing is recorded of yet, the latest first.
async fn planned(
    app: &App,
    merchant: MerchantId,
    id: TemplateId,
    query: &LedgerQuery,
    to: DateTime<Utc>,
) -> Result<Vec<RecordedOccurrence>, Problem> {
    let template = app.store.get_template(merchant, id).await?.ok_or_else(|| not_found(id))?;
    let Some(future) = Future::of(app, merchant, &template).await? else { return Ok(Vec::new()) };
    let micro = TimeDelta::microseconds(1);
    let after = query.from.map_or(query.now, |from| query.now.max(from - micro));
    let until = query.before.map_or(to, |before| to.min(before - micro));
    let limit = usize::try_from(query.limit).unwrap_or(0);
    // Looking at thousands of times is no matter of microseconds.
    let found = tokio::task::spawn_blocking(move || future.outlook().latest(after, until, limit)).await;
    let found = found.map_err(|_| Problem::internal())?;
    Ok(found.into_iter().map(|occurrence| to_come(&occurrence, template.version)).collect())
}

fn to_come(occurrence: &Occurrence, version: i32) -> RecordedOccurrence {
    let outcome = match occurrence.suppressed {
        None => "planned",
        Some(Suppression::Calendar) => OccurrenceOutcome::SkippedCalendar.as_str(),
        Some(Suppression::DstGap) => OccurrenceOutcome::SkippedDstGap.as_str(),
    };
    RecordedOccurrence::unrecorded(occurrence.at, outcome, version)
}

/// Both, the latest first; what is recorded is what the record says.
fn merged(recorded: Vec<RecordedOccurrence>, planned: Vec<RecordedOccurrence>, most: usize) -> Vec<RecordedOccurrence> {
    let rows = planned.into_iter().chain(recorded);
    let by_time: BTreeMap<DateTime<Utc>, RecordedOccurrence> = rows.map(|row| (row.at, row)).collect();
    by_time.into_values().rev().take(most).collect()
}

impl CursorKey for DateTime<Utc> {
    fn to_bytes(&self) -> Vec<u8> {
        self.timestamp_micros().to_be_bytes().to_vec()
    }

    fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        DateTime::from_timestamp_micros(i64::from_be_bytes(bytes.try_into().ok()?)).filter(|at| time::is_taken(*at))
    }
}
