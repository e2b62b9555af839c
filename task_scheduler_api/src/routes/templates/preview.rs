//! `POST /v1/templates/preview`

use super::body::parse_schedule;
use crate::extract::{Caller, JsonBody, TemplatesRead, time};
use crate::problem::Problem;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};
use scheduler_core::schedule::{EvalContext, Occurrence, OccurrenceNote, Schedule, ScheduleSpec, TZDB_VERSION};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// Occurrences when the caller does not say.
const DEFAULT_COUNT: usize = 10;
/// The most occurrences of one preview.
const MAX_COUNT: usize = 1_000;

/// What to look at.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewRequest {
    /// The schedule, as in a template.
    #[schema(value_type = ScheduleSpec)]
    schedule: Value,
    /// Look at what comes after this time, as a template would that is created then (default: now).
    #[serde(default, deserialize_with = "time::optional")]
    from: Option<DateTime<Utc>>,
    /// How many occurrences, 1 to 1000 (default 10).
    #[serde(default)]
    count: Option<usize>,
}

/// What a schedule means.
#[derive(Debug, Serialize, ToSchema)]
pub struct Preview {
    /// The next occurrences; fewer than asked for when the schedule ends.
    occurrences: Vec<PreviewedOccurrence>,
    /// What its owner may want to know: clock changes ahead, rules that are often misread.
    warnings: Vec<String>,
    /// The schedule in words.
    description: String,
    /// The zone in which its local times are meant.
    timezone: String,
    /// Version of the IANA time-zone database that was used.
    timezone_database: &'static str,
}

/// One occurrence to come.
#[derive(Debug, Serialize, ToSchema)]
pub struct PreviewedOccurrence {
    /// The instant.
    at: DateTime<Utc>,
    /// The same instant on the clocks of the zone, with its offset from UTC.
    local: String,
    /// How a clock change touches it, if one does.
    note: Option<OccurrenceNote>,
}

/// Preview a schedule
///
/// Shows when it would fire, without storing anything.
#[utoipa::path(
    post, path = "/v1/templates/preview", tag = "templates",
    request_body(content = PreviewRequest, example = json!({
        "schedule": {"kind": "cron", "expression": "0 9 * * 1-5", "timezone": "America/New_York"}, "count": 5
    })),
    responses((status = 200, description = "What the schedule means.", body = Preview))
)]
pub async fn preview_template(
    _caller: Caller<TemplatesRead>,
    State(app): State<AppState>,
    body: JsonBody<PreviewRequest>,
) -> Result<Json<Preview>, Problem> {
    let request = body.value;
    let count = request.count.unwrap_or(DEFAULT_COUNT);
    let schedule = parse_schedule(&request.schedule);
    let mut errors = schedule.as_ref().err().cloned().unwrap_or_default();
    if !(1..=MAX_COUNT).contains(&count) {
        errors.push(scheduler_core::domain::FieldError::new("/count", format!("must be from 1 to {MAX_COUNT}")));
    }
    match schedule {
        Ok(schedule) if errors.is_empty() => {
            let from = request.from.unwrap_or_else(|| app.clock.now()).trunc_subsecs(6);
            Ok(Json(look_ahead(&schedule, from, count)))
        }
        _ => Err(Problem::invalid(errors)),
    }
}

fn look_ahead(schedule: &Schedule, from: DateTime<Utc>, count: usize) -> Preview {
    let context = EvalContext::new(from, Uuid::nil());
    let occurrences = schedule.occurrences(from, &context).take(count);
    Preview {
        occurrences: occurrences.map(|occurrence| shown(schedule, occurrence)).collect(),
        warnings: schedule.warnings(from),
        description: schedule.describe(),
        timezone: schedule.timezone().name().to_owned(),
        timezone_database: TZDB_VERSION,
    }
}

fn shown(schedule: &Schedule, occurrence: Occurrence) -> PreviewedOccurrence {
    let local = occurrence.at.with_timezone(&schedule.timezone());
    PreviewedOccurrence {
        at: occurrence.at,
        local: local.to_rfc3339_opts(SecondsFormat::AutoSi, false),
        note: occurrence.note,
    }
}
