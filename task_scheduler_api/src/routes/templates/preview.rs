//! `POST /v1/templates/preview`

use super::body::parse_schedule;
use crate::extract::{Caller, JsonBody, TemplatesRead, time};
use crate::problem::Problem;
use crate::routes::calendars;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};
use scheduler_core::domain::FieldError;
use scheduler_core::schedule::{
    CalendarSet, EvalContext, Occurrence, OccurrenceNote, Schedule, ScheduleSpec, Suppression, TZDB_VERSION, Tz,
    parse_timezone,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// Occurrences when the caller does not say.
const DEFAULT_COUNT: usize = 10;
/// The most occurrences of one preview.
const MAX_COUNT: usize = 1_000;
/// Nominal times that are looked at for one preview; a calendar may leave out all of them.
const MOST_LOOKED_AT: usize = 50_000;

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
    /// Another IANA time zone to show each instant in, such as the reader's.
    #[serde(default)]
    #[schema(example = "Asia/Kolkata")]
    second_timezone: Option<String>,
    /// Show also the times that do not run, with the reason (default false).
    #[serde(default)]
    include_suppressed: bool,
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
    /// The other zone that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    second_timezone: Option<&'static str>,
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
    /// The same instant in the other zone that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    second_local: Option<String>,
    /// How a clock change touches it, if one does.
    note: Option<OccurrenceNote>,
    /// Why it does not run; only where these are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    suppressed: Option<Suppression>,
    /// The instant that the schedule names, if a calendar moves it to another day.
    #[serde(skip_serializing_if = "Option::is_none")]
    rolled_from: Option<DateTime<Utc>>,
}

/// A request whose parts are known to be good.
struct Look {
    schedule: Schedule,
    calendars: CalendarSet,
    from: DateTime<Utc>,
    count: usize,
    second: Option<Tz>,
    include_suppressed: bool,
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
    caller: Caller<TemplatesRead>,
    State(app): State<AppState>,
    body: JsonBody<PreviewRequest>,
) -> Result<Json<Preview>, Problem> {
    let request = body.value;
    let count = request.count.unwrap_or(DEFAULT_COUNT);
    let (schedule, mut errors) = match parse_schedule(&request.schedule) {
        Ok(schedule) => (Some(schedule), Vec::new()),
        Err(errors) => (None, errors),
    };
    if !(1..=MAX_COUNT).contains(&count) {
        errors.push(FieldError::new("/count", format!("must be from 1 to {MAX_COUNT}")));
    }
    let second = request.second_timezone.as_deref().map(parse_timezone).transpose();
    let second = second.map_err(|detail| errors.push(FieldError::new("/second_timezone", detail))).unwrap_or_default();
    let Some(schedule) = schedule.filter(|_| errors.is_empty()) else { return Err(Problem::invalid(errors)) };
    let calendars = calendars::of_schedule(&app, caller.merchant, &schedule).await?;
    let from = request.from.unwrap_or_else(|| app.clock.now()).trunc_subsecs(6);
    let look = Look { schedule, calendars, from, count, second, include_suppressed: request.include_suppressed };
    // Thousands of times to look at are no matter of microseconds.
    let preview = tokio::task::spawn_blocking(move || look.ahead()).await;
    preview.map(Json).map_err(|_| Problem::internal())
}

impl Look {
    fn ahead(&self) -> Preview {
        let context = EvalContext::new(self.from, Uuid::nil()).with_calendars(&self.calendars);
        let mut looked_at = 0;
        let occurrences: Vec<_> = self
            .schedule
            .occurrences(self.from, &context)
            .take(MOST_LOOKED_AT)
            .inspect(|_| looked_at += 1)
            .filter(|occurrence| self.include_suppressed || occurrence.runs())
            .take(self.count)
            .map(|occurrence| self.shown(occurrence))
            .collect();
        let mut warnings = self.schedule.warnings(self.from);
        if looked_at == MOST_LOOKED_AT && occurrences.len() < self.count {
            warnings.push(format!(
                "of the next {MOST_LOOKED_AT} times its calendars leave only {}; later ones were not looked at",
                occurrences.len()
            ));
        }
        Preview {
            occurrences,
            warnings,
            description: self.schedule.describe(),
            timezone: self.schedule.timezone().name().to_owned(),
            second_timezone: self.second.map(|zone| zone.name()),
            timezone_database: TZDB_VERSION,
        }
    }

    fn shown(&self, occurrence: Occurrence) -> PreviewedOccurrence {
        let Occurrence { at, note, suppressed, rolled_from } = occurrence;
        PreviewedOccurrence {
            at,
            local: on_the_clock(at, self.schedule.timezone()),
            second_local: self.second.map(|zone| on_the_clock(at, zone)),
            note,
            suppressed,
            rolled_from,
        }
    }
}

/// An instant on the clocks of a zone, with the zone's offset from UTC.
fn on_the_clock(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::AutoSi, false)
}
