//! The whole API on one screen: a new route is one line.

use crate::extract::BodyLimit;
use crate::middleware;
use crate::openapi;
use crate::routes::{backfills, calendars, dead_letters, freezes, incidents, jobs, queues, templates};
use crate::state::AppState;
use axum::{Extension, Router};
use scheduler_core::health::{self, Health};
use scheduler_core::telemetry::PrometheusHandle;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Every documented route.
fn api(batch_body_limit: usize) -> OpenApiRouter<AppState> {
    let batch = OpenApiRouter::new()
        .routes(routes!(jobs::create_batch::create_jobs))
        .layer(Extension(BodyLimit(batch_body_limit)));

    OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(jobs::create::create_job, jobs::list::list_jobs))
        .merge(batch)
        .routes(routes!(jobs::get::get_job))
        .routes(routes!(jobs::executions::list_executions))
        .routes(routes!(jobs::cancel::cancel_job))
        .routes(routes!(jobs::retry::retry_job))
        .routes(routes!(jobs::run_now::run_job_now))
        .routes(routes!(dead_letters::list::list_dead_letters))
        .routes(routes!(dead_letters::get::get_dead_letter, dead_letters::purge::purge_dead_letter))
        .routes(routes!(dead_letters::redrive::redrive_dead_letter))
        .routes(routes!(dead_letters::redrive_many::redrive_dead_letters))
        .routes(routes!(dead_letters::purge_many::purge_dead_letters))
        .routes(routes!(incidents::list::list_incidents))
        .routes(routes!(incidents::get::get_incident))
        .routes(routes!(incidents::acknowledge::acknowledge_incident))
        .routes(routes!(incidents::resolve::resolve_incident))
        .routes(routes!(queues::list::list_queues))
        .routes(routes!(queues::change::change_queue))
        .routes(routes!(queues::pause::pause_queue))
        .routes(routes!(queues::resume::resume_queue))
        .routes(routes!(calendars::create::create_calendar, calendars::list::list_calendars))
        .routes(routes!(
            calendars::get::get_calendar,
            calendars::replace::replace_calendar,
            calendars::delete::delete_calendar
        ))
        .routes(routes!(calendars::import::import_calendar))
        .routes(routes!(freezes::create::create_freeze, freezes::list::list_freezes))
        .routes(routes!(freezes::delete::delete_freeze))
        .routes(routes!(templates::create::create_template, templates::list::list_templates))
        .routes(routes!(templates::preview::preview_template))
        .routes(routes!(
            templates::get::get_template,
            templates::replace::replace_template,
            templates::patch::patch_template,
            templates::delete::delete_template
        ))
        .routes(routes!(templates::pause::pause_template))
        .routes(routes!(templates::resume::resume_template))
        .routes(routes!(templates::trigger::trigger_template))
        .routes(routes!(templates::occurrences::list_occurrences))
        .routes(routes!(templates::occurrence::skip::skip_occurrence))
        .routes(routes!(templates::occurrence::unskip::unskip_occurrence))
        .routes(routes!(templates::occurrence::move_to::move_occurrence))
        .routes(routes!(templates::explain::explain_template))
        .routes(routes!(templates::versions::list_versions))
        .routes(routes!(templates::version::get_version))
        .routes(routes!(templates::diff::diff_versions))
        .routes(routes!(templates::rollback::rollback_template))
        .routes(routes!(backfills::start::start_backfill))
        .routes(routes!(backfills::list::list_backfills))
        .routes(routes!(backfills::get::get_backfill))
        .routes(routes!(backfills::pause::pause_backfill))
        .routes(routes!(backfills::resume::resume_backfill))
        .routes(routes!(backfills::cancel::cancel_backfill))
}

/// The service: the routes, the documents, the probes, and what surrounds every request.
pub fn router(app: AppState, health: Health, metrics: PrometheusHandle) -> Router {
    let limits = &app.settings.api;
    let body_limit = BodyLimit(limits.body_limit_bytes);
    let requests = middleware::RequestLimits::new(limits.max_requests, limits.request_timeout);
    let (routes, document) = api(limits.batch_body_limit_bytes).split_for_parts();

    let routes = Router::new()
        .merge(routes.with_state(app))
        .merge(openapi::pages(openapi::finish(document)))
        .merge(health::router(health, Some(metrics)))
        .fallback(middleware::not_found)
        .layer(Extension(body_limit))
        .layer(axum::middleware::from_fn_with_state(requests, middleware::detach))
        .layer(axum::middleware::from_fn(middleware::observe));
    // Around the router as a whole: it adds `Allow` to an answer after the layers of its routes.
    Router::new().fallback_service(routes).layer(axum::middleware::from_fn(middleware::name_methods))
}

/// The OpenAPI document, as `/openapi.json` serves it.
pub fn document() -> serde_json::Value {
    openapi::finish(api(0).into_openapi())
}
