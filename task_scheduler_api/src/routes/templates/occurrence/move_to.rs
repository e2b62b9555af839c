//! `POST /v1/templates/{id}/occurrences/{at}/move`

use super::{Request, change};
use crate::extract::{Caller, JsonBody, PathOccurrence, Query, TemplatesWrite, time};
use crate::idempotency::Idempotency;
use crate::problem::Problem;
use crate::routes::jobs;
use crate::routes::templates::dry_run::DryRunParameters;
use crate::routes::templates::occurrences::RecordedOccurrence;
use crate::state::AppState;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, SubsecRound as _, Utc};
use scheduler_core::store::templates::OccurrenceChange;
use serde::Deserialize;
use utoipa::ToSchema;

/// Where an occurrence goes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// When it starts, in the future.
    #[serde(default, deserialize_with = "time::optional")]
    #[schema(value_type = DateTime<Utc>, required = true)]
    to: Option<DateTime<Utc>>,
}

/// Move one occurrence
///
/// It starts at another time, earlier or later; its nominal time stays its name, in the ledger and for its variables. A job
/// that it has already is replaced (reason `occurrence_moved`), unless it was claimed first. An edit of the template keeps it
/// where it is as long as it still is one of its times.
#[utoipa::path(
    post, path = "/v1/templates/{id}/occurrences/{at}/move", tag = "templates",
    params(
        ("id" = uuid::Uuid, Path, description = "The template's id"),
        ("at" = String, Path, description = "Its nominal time, such as 2027-01-31T09:00:00Z; or `next`: the first one to come that is to run"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 256 bytes of your choice; with one, `next` is asked for once however often the request is repeated."),
        DryRunParameters,
    ),
    request_body(content = Move, example = json!({"to": "2027-01-31T13:30:00Z"})),
    responses(
        (status = 200, description = "The occurrence; with `dry_run` as it would be.", body = RecordedOccurrence),
        (status = 404, description = "`not_nominal`: the schedule does not name this time; `detail` has the nearest ones."),
        (status = 409, description = "`already_past`, `already_due`, `already_started`, `already_finished` (with `job_id`); `not_planned`: it does not run anyway; `template_paused`; `frozen`: a freeze window is open then."),
    )
)]
pub async fn move_occurrence(
    caller: Caller<TemplatesWrite>,
    State(app): State<AppState>,
    path: PathOccurrence,
    Query(parameters): Query<DryRunParameters>,
    idempotency: Idempotency,
    body: JsonBody<Move>,
) -> Result<Response, Problem> {
    let to = body.value.to.ok_or_else(|| {
        Problem::invalid_field("/to", "is missing; give the time at which it is to start, such as 2027-01-31T09:00:00Z")
    })?;
    let to = to.trunc_subsecs(6);
    if to <= jobs::now(&app) {
        let detail = "lies in the past; move it to a time to come, or trigger the template (POST …/trigger)";
        return Err(Problem::invalid_field("/to", detail));
    }
    let request = Request {
        merchant: caller.merchant,
        path,
        change: OccurrenceChange::Move { to },
        dry_run: parameters.is_on(),
        idempotency,
        body: &body.bytes,
    };
    change(&app, request).await
}
