//! What the changes of a template have in common.

use super::body::Definition;
use super::etag::{IfMatch, mismatch};
use crate::problem::Problem;
use crate::routes::{calendars, jobs};
use crate::state::App;
use scheduler_core::domain::{MerchantId, Template, TemplateId};
use scheduler_core::store::templates::{TemplateChange, TemplateChanged};

/// Changes a template, and tells the recurrence managers.
pub async fn change(
    app: &App,
    merchant: MerchantId,
    id: TemplateId,
    if_match: &IfMatch,
    change: TemplateChange<'_>,
) -> Result<Template, Problem> {
    match app.store.change_template(merchant, id, if_match.versions(), change, jobs::now(app)).await? {
        TemplateChanged::Done { template, cancelled } => {
            app.hints.template();
            tracing::debug!(template = %id, version = template.version, cancelled, "template changed");
            Ok(*template)
        }
        TemplateChanged::NotFound => Err(not_found(id)),
        TemplateChanged::VersionMismatch { current } => Err(mismatch(current)),
        TemplateChanged::NameTaken => Err(name_taken()),
        TemplateChanged::UnknownCalendars(names) => Err(unknown_calendars(&names)),
        TemplateChanged::Behind => Err(Problem::unavailable(
            "catching_up",
            "the template is still catching up after an outage; try again in a moment",
        )),
    }
}

/// What has to be there before a definition is written: the calendars that it names, or 422; the queue of its jobs, which is
/// made if it is new.
pub async fn ready(app: &App, merchant: MerchantId, definition: &Definition) -> Result<(), Problem> {
    calendars::of_schedule(app, merchant, &definition.schedule).await?;
    app.lanes.one(&app.store, merchant, &definition.spec.job.queue).await?;
    Ok(())
}

/// 422: a calendar was deleted while the template was being written.
pub fn unknown_calendars(names: &[String]) -> Problem {
    let detail = format!("there is no calendar {}; create it first", names.join(", "));
    Problem::invalid_field("/schedule/calendars", detail)
}

/// 404.
pub fn not_found(id: TemplateId) -> Problem {
    Problem::not_found("template", id)
}

/// 409.
pub fn name_taken() -> Problem {
    Problem::conflict("name_taken", "another template has this name; choose another, or change that one")
}
