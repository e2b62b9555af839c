//! `POST /v1/templates/{id}/occurrences/{at}/skip`

use super::{Request, change};
use crate::extract::{Caller, PathOccurrence, Query, TemplatesWrite};
use crate::idempotency::Idempotency;
use crate::problem::Problem;
use crate::routes::templates::dry_run::DryRunParameters;
use crate::routes::templates::occurrences::RecordedOccurrence;
use crate::state::AppState;
use axum::extract::State;
use axum::response::Response;
use scheduler_core::store::templates::OccurrenceChange;

/// Skip one occurrence
///
/// It does not run; the ledger says `skipped_user`. A job that it has already is cancelled (reason `occurrence_skipped`),
/// unless it was claimed first. However far ahead it is: an edit of the template keeps it skipped as long as it still is one
/// of its times.
#[utoipa::path(
    post, path = "/v1/templates/{id}/occurrences/{at}/skip", tag = "templates",
    params(
        ("id" = uuid::Uuid, Path, description = "The template's id"),
        ("at" = String, Path, description = "Its nominal time, such as 2027-01-31T09:00:00Z; or `next`: the first one to come that is to run"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 256 bytes of your choice; with one, `next` is asked for once however often the request is repeated."),
        DryRunParameters,
    ),
    responses(
        (status = 200, description = "The occurrence; with `dry_run` as it would be.", body = RecordedOccurrence),
        (status = 404, description = "`not_nominal`: the schedule does not name this time; `detail` has the nearest ones."),
        (status = 409, description = "`already_past`, `already_due`, `already_started`, `already_finished` (with `job_id`); `not_planned`: it does not run anyway."),
    )
)]
pub async fn skip_occurrence(
    caller: Caller<TemplatesWrite>,
    State(app): State<AppState>,
    path: PathOccurrence,
    Query(parameters): Query<DryRunParameters>,
    idempotency: Idempotency,
) -> Result<Response, Problem> {
    let request = Request {
        merchant: caller.merchant,
        path,
        change: OccurrenceChange::Skip,
        dry_run: parameters.is_on(),
        idempotency,
        body: b"",
    };
    change(&app, request).await
}
