//! `POST /v1/freezes`

use crate::extract::{Caller, JsonBody, TemplatesWrite};
use crate::problem::Problem;
use crate::routes::jobs;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use scheduler_core::domain::Freeze;
use scheduler_core::store::freezes::FreezeCreated;

/// Create a freeze window
///
/// Occurrences of all templates within it are held until it ends, or skipped. What is planned already follows within
/// moments; a job that is due or runs goes on. Jobs that were created directly or triggered are not concerned. A request
/// that is repeated word for word is answered as the first one was.
#[utoipa::path(
    post, path = "/v1/freezes", tag = "templates",
    request_body(content = Freeze, example = json!({
        "name": "release-42", "starts_at": "2026-12-01T18:00:00Z", "ends_at": "2026-12-02T06:00:00Z", "action": "hold"
    })),
    responses(
        (status = 201, description = "The window.", body = Freeze),
        (status = 409, description = "`name_taken`, or `too_many_freezes`: a hundred windows are not over yet."),
    )
)]
pub async fn create_freeze(
    app: State<AppState>,
    caller: Caller<TemplatesWrite>,
    body: JsonBody<Freeze>,
) -> Result<(StatusCode, Json<Freeze>), Problem> {
    let freeze = body.value;
    let errors = freeze.validate();
    if !errors.is_empty() {
        return Err(Problem::invalid(errors));
    }
    match app.store.create_freeze(caller.merchant, &freeze, jobs::now(&app)).await? {
        FreezeCreated::Created => Ok((StatusCode::CREATED, Json(freeze))),
        FreezeCreated::NameTaken if app.store.list_freezes(caller.merchant).await?.contains(&freeze) => {
            Ok((StatusCode::CREATED, Json(freeze)))
        }
        FreezeCreated::NameTaken => {
            Err(Problem::conflict("name_taken", "another window has this name; choose another, or delete that one"))
        }
        FreezeCreated::TooMany => Err(Problem::conflict(
            "too_many_freezes",
            "a hundred windows are not over yet; delete some, or use a calendar",
        )),
    }
}
