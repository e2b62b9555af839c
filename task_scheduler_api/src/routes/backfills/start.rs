//! `POST /v1/templates/{id}/backfills`

use crate::extract::{Caller, JsonBody, PathId, Query, TemplatesWrite, time};
use crate::idempotency::{self, Idempotency};
use crate::problem::Problem;
use crate::routes::jobs;
use crate::routes::templates::dry_run::DryRunParameters;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, SubsecRound as _, Utc};
use scheduler_core::domain::backfill::MAX_ACTIVE;
use scheduler_core::domain::{
    Backfill, BackfillForecast, BackfillOrder, FieldError, MerchantId, Reprocess, TemplateId,
};
use scheduler_core::store::backfills::{BackfillStarted, NewBackfill};
use scheduler_core::store::templates::Keyed;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What to run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BackfillRequest {
    /// The earliest nominal time, inclusive.
    #[serde(default, deserialize_with = "time::optional")]
    #[schema(value_type = DateTime<Utc>, required = true)]
    from: Option<DateTime<Utc>>,
    /// The latest nominal time, inclusive; not in the future.
    #[serde(default, deserialize_with = "time::optional")]
    #[schema(value_type = DateTime<Utc>, required = true)]
    to: Option<DateTime<Utc>>,
    /// In which order (default `oldest_first`).
    #[serde(default)]
    order: BackfillOrder,
    /// How many of its jobs may be live at a time, 1 to 1000 (default 1).
    #[serde(default = "one")]
    max_active: i32,
    /// Which nominal times (default `none`: those that never ran).
    #[serde(default)]
    reprocess: Reprocess,
    /// Only tell what it would do, as `?dry_run=true` does (default false).
    #[serde(default)]
    dry_run: bool,
}

fn one() -> i32 {
    1
}

/// What a backfill would do.
#[derive(Debug, Serialize, ToSchema)]
pub struct BackfillDryRun {
    /// Always true.
    dry_run: bool,
    #[serde(flatten)]
    forecast: BackfillForecast,
}

/// Start a backfill
///
/// Runs nominal times of the past, up to 10,000: a job for each, due at once and at the last priority, `max_active` at a
/// time. They are times of the schedule as it is, also before the template was created, and whether or not it is paused; those
/// that calendars leave out are none. Nobody's overlap policy concerns the jobs; concurrency limits do.
#[utoipa::path(
    post, path = "/v1/templates/{id}/backfills", tag = "backfills",
    params(
        ("id" = uuid::Uuid, Path, description = "The template's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 256 bytes of your choice; kept for 72 hours."),
        DryRunParameters,
    ),
    request_body(content = BackfillRequest, example = json!({
        "from": "2026-11-01T00:00:00Z", "to": "2026-11-07T23:59:59Z", "max_active": 4, "reprocess": "failed"
    })),
    responses(
        (status = 200, description = "With `dry_run`: what it would do.", body = BackfillDryRun),
        (status = 201, description = "The backfill.", body = Backfill, headers(("Location" = String, description = "Its path."))),
        (status = 409, description = "`too_many_backfills`: a hundred have not ended; `no_past`: the schedule counts from the ends of runs."),
        (status = 422, description = "A field is not valid, or the range has more than 10,000 times."),
    ),
)]
pub async fn start_backfill(
    caller: Caller<TemplatesWrite>,
    State(app): State<AppState>,
    PathId(template): PathId<TemplateId>,
    Query(parameters): Query<DryRunParameters>,
    idempotency: Idempotency,
    body: JsonBody<BackfillRequest>,
) -> Result<Response, Problem> {
    let now = jobs::now(&app);
    let mut new = read(&body.value, caller.merchant, template, now)?;
    new.dry_run |= parameters.is_on();
    // What changes nothing needs no key.
    let key = idempotency.key_for(&app, &body.bytes, now).filter(|_| !new.dry_run);
    new.key = key.as_ref().map(|key| Keyed { key, status: 201, body: &shown });
    match app.store.start_backfill(&new).await? {
        BackfillStarted::Started(backfill) => {
            app.hints.template();
            Ok((StatusCode::CREATED, [(header::LOCATION, path(&backfill))], Json(backfill)).into_response())
        }
        BackfillStarted::Foreseen(forecast) => {
            Ok((StatusCode::OK, Json(BackfillDryRun { dry_run: true, forecast })).into_response())
        }
        BackfillStarted::KeyTaken(holder) => idempotency::answer(holder),
        BackfillStarted::NotFound => Err(Problem::not_found("template", template)),
        BackfillStarted::TooManyTimes(most) => {
            let detail = format!("the range has more than {most} times of the schedule; do it in parts");
            Err(Problem::invalid_field("/to", detail))
        }
        BackfillStarted::TooMany => Err(Problem::conflict(
            "too_many_backfills",
            "a hundred backfills have not ended yet; wait for some of them, or cancel them",
        )),
        BackfillStarted::CountsFromEnds => Err(Problem::conflict(
            "no_past",
            "the schedule counts each time from the end of the run before it: it has no times but those that ran",
        )),
    }
}

/// The request, judged as a whole.
fn read<'a>(
    request: &BackfillRequest,
    merchant: MerchantId,
    template: TemplateId,
    now: DateTime<Utc>,
) -> Result<NewBackfill<'a>, Problem> {
    let mut errors = Vec::new();
    let mut refuse = |pointer: &str, detail: String| errors.push(FieldError::new(pointer, detail));
    for (pointer, at) in [("/from", request.from), ("/to", request.to)] {
        if at.is_none() {
            refuse(pointer, "is missing; give a time such as 2026-11-01T00:00:00Z".to_owned());
        }
    }
    let (from, to) = (request.from.unwrap_or(now).trunc_subsecs(6), request.to.unwrap_or(now).trunc_subsecs(6));
    if to > now {
        refuse("/to", "lies in the future; the schedule itself runs what is to come".to_owned());
    } else if from > to {
        refuse("/from", "lies after `to`".to_owned());
    }
    if !(1..=MAX_ACTIVE).contains(&request.max_active) {
        refuse("/max_active", format!("must be from 1 to {MAX_ACTIVE}"));
    }
    Problem::check(errors)?;
    let BackfillRequest { order, max_active, reprocess, dry_run, .. } = *request;
    Ok(NewBackfill { merchant, template, from, to, order, max_active, reprocess, now, dry_run, key: None })
}

fn shown(backfill: &Backfill) -> String {
    serde_json::to_string(backfill).expect("a backfill has string keys and whole numbers only")
}

fn path(backfill: &Backfill) -> HeaderValue {
    HeaderValue::from_str(&format!("/v1/backfills/{}", backfill.id)).expect("a UUID is a valid header value")
}
