//! What the changes of a template have in common.

use super::etag::{IfMatch, mismatch};
use crate::problem::Problem;
use crate::routes::jobs;
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
        TemplateChanged::Behind => Err(Problem::unavailable(
            "catching_up",
            "the template is still catching up after an outage; try again in a moment",
        )),
    }
}

/// 404.
pub fn not_found(id: TemplateId) -> Problem {
    Problem::not_found("template", id)
}

/// 409.
pub fn name_taken() -> Problem {
    Problem::conflict("name_taken", "another template has this name; choose another, or change that one")
}
