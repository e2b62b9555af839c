//! One occurrence of a template: skipped, moved, given back.

pub mod move_to;
pub mod skip;
pub mod unskip;

use super::occurrences::RecordedOccurrence;
use super::shared::not_found;
use crate::extract::PathOccurrence;
use crate::idempotency::{self, Idempotency};
use crate::problem::Problem;
use crate::routes::jobs;
use crate::state::App;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use metrics::counter;
use scheduler_core::domain::MerchantId;
use scheduler_core::store::templates::{
    ChangeOccurrence, ChangedOccurrence, Keyed, OccurrenceChange, OccurrenceChanged, Refusal,
};
use scheduler_core::telemetry::metrics as names;

/// A request to change one occurrence, as its route has read it.
struct Request<'a> {
    merchant: MerchantId,
    path: PathOccurrence,
    change: OccurrenceChange,
    dry_run: bool,
    idempotency: Idempotency,
    body: &'a [u8],
}

/// Changes the occurrence and answers what it is now.
async fn change(app: &App, request: Request<'_>) -> Result<Response, Problem> {
    let now = jobs::now(app);
    // What changes nothing needs no key.
    let key = request.idempotency.key_for(app, request.body, now).filter(|_| !request.dry_run);
    let wanted = ChangeOccurrence {
        merchant: request.merchant,
        template: request.path.template,
        which: request.path.which,
        change: request.change,
        now,
        dry_run: request.dry_run,
        key: key.as_ref().map(|key| Keyed { key, status: 200, body: &shown }),
    };
    match app.store.change_occurrence(&wanted).await? {
        OccurrenceChanged::Done(done) => {
            if !request.dry_run {
                announce(app, &done, now);
            }
            Ok((StatusCode::OK, Json(RecordedOccurrence::from(*done))).into_response())
        }
        OccurrenceChanged::KeyTaken(holder) => idempotency::answer(holder),
        OccurrenceChanged::NotFound => Err(not_found(request.path.template)),
        OccurrenceChanged::NotNominal { before, after } => Err(not_nominal(before, after)),
        OccurrenceChanged::NoNext => Err(no_next(request.change)),
        OccurrenceChanged::Refused { nominal_at, why } => Err(refused(nominal_at, why)),
    }
}

fn shown(changed: &ChangedOccurrence) -> String {
    serde_json::to_string(&RecordedOccurrence::from(changed.clone())).expect("times, names and finite numbers only")
}

/// A job that starts soon is not left to the next sweep.
fn announce(app: &App, done: &ChangedOccurrence, now: DateTime<Utc>) {
    counter!(names::JOBS_CREATED_TOTAL, "source" => "template").increment(done.jobs.len() as u64);
    let hint = |made: &scheduler_core::store::materialise::MaterialisedJob| {
        app.hints.due_hint(now, (made.merchant, made.job), made.run_at, made.priority, &made.lane)
    };
    app.hints.due(done.jobs.iter().filter_map(hint).collect());
}

fn not_nominal(before: Option<DateTime<Utc>>, after: Option<DateTime<Utc>>) -> Problem {
    let nearest = match (before.map(time), after.map(time)) {
        (Some(before), Some(after)) => format!("the nearest are {before} and {after}"),
        (Some(before), None) => format!("the last one is {before}"),
        (None, Some(after)) => format!("the first one is {after}"),
        (None, None) => "it has none".to_owned(),
    };
    let detail = format!("this is no time of the template's schedule; {nearest}");
    Problem::new(StatusCode::NOT_FOUND, "not_nominal", detail)
}

fn no_next(change: OccurrenceChange) -> Problem {
    let detail = match change {
        OccurrenceChange::Unskip => "no occurrence to come is skipped or moved",
        OccurrenceChange::Skip | OccurrenceChange::Move { .. } => "no occurrence is to come",
    };
    Problem::new(StatusCode::NOT_FOUND, "not_nominal", detail)
}

/// 409.
fn refused(nominal_at: DateTime<Utc>, why: Refusal) -> Problem {
    let at = time(nominal_at);
    match why {
        Refusal::Past(None) => Problem::conflict("already_past", format!("{at} has passed")),
        Refusal::Past(Some(outcome)) => {
            Problem::conflict("already_past", format!("{at} has passed; the ledger says `{}` of it", outcome.as_str()))
        }
        Refusal::Due(job) => {
            let detail = format!("the job of {at} is due; cancel that one (POST /v1/jobs/{job}/cancel)");
            Problem::conflict("already_due", detail).with_job(Some(job))
        }
        Refusal::Started(job) => {
            Problem::conflict("already_started", format!("the job of {at} has started")).with_job(Some(job))
        }
        Refusal::Ended(job) => {
            Problem::conflict("already_finished", format!("the job of {at} has ended")).with_job(Some(job))
        }
        Refusal::LeftOut(why) => Problem::conflict("not_planned", format!("{at} does not run anyway: {why}")),
        Refusal::Paused => {
            Problem::conflict("template_paused", "the template is paused, and nothing of it starts; resume it first")
        }
        Refusal::Frozen { name, ends_at } => {
            let detail =
                format!("the freeze window `{name}` is open then, until {}; choose another time", time(ends_at));
            Problem::conflict("frozen", detail)
        }
        Refusal::CountedOn => {
            let detail = format!("the schedule counts from the ends of runs, and has counted on from {at}");
            Problem::conflict("counted_on", detail)
        }
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
