//! `POST /v1/templates/{id}/occurrences/{at}/unskip`

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

/// Give one occurrence back
///
/// One that was skipped runs after all; one that was moved runs at its own time. For one that is neither, nothing changes.
#[utoipa::path(
    post, path = "/v1/templates/{id}/occurrences/{at}/unskip", tag = "templates",
    params(
        ("id" = uuid::Uuid, Path, description = "The template's id"),
        ("at" = String, Path, description = "Its nominal time; or `next`: the first one to come that is skipped or moved"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 256 bytes of your choice; with one, `next` is asked for once however often the request is repeated."),
        DryRunParameters,
    ),
    responses(
        (status = 200, description = "The occurrence; with `dry_run` as it would be.", body = RecordedOccurrence),
        (status = 404, description = "`not_nominal`: the schedule does not name this time; `detail` has the nearest ones."),
        (status = 409, description = "`already_past`, `already_due`, `already_started`, `already_finished`; `counted_on`: the schedule counts from the ends of runs, and has counted on."),
    )
)]
pub async fn unskip_occurrence(
    caller: Caller<TemplatesWrite>,
    State(app): State<AppState>,
    path: PathOccurrence,
    Query(parameters): Query<DryRunParameters>,
    idempotency: Idempotency,
) -> Result<Response, Problem> {
    let request = Request {
        merchant: caller.merchant,
        path,
        change: OccurrenceChange::Unskip,
        dry_run: parameters.is_on(),
        idempotency,
        body: b"",
    };
    change(&app, request).await
}
