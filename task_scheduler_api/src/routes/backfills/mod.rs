//! Backfills: a stretch of a template's past, run after all or again.

pub mod cancel;
pub mod get;
pub mod list;
pub mod pause;
pub mod resume;
pub mod start;

use crate::problem::Problem;
use crate::routes::jobs;
use crate::state::App;
use scheduler_core::domain::{Backfill, BackfillId, MerchantId};
use scheduler_core::store::backfills::{BackfillChange, BackfillChanged};

/// 404.
fn not_found(id: BackfillId) -> Problem {
    Problem::not_found("backfill", id)
}

/// Changes a backfill, and tells the recurrence managers.
async fn change(app: &App, merchant: MerchantId, id: BackfillId, change: BackfillChange) -> Result<Backfill, Problem> {
    match app.store.change_backfill(merchant, id, change, jobs::now(app)).await? {
        BackfillChanged::Done { backfill, cancelled } => {
            app.hints.template();
            if cancelled > 0 {
                tracing::debug!(backfill = %id, cancelled, "jobs of a backfill were taken back");
                app.hints.ending();
            }
            Ok(*backfill)
        }
        BackfillChanged::NotFound => Err(not_found(id)),
        BackfillChanged::Ended(state) => Err(Problem::conflict(
            "already_ended",
            format!("the backfill is {} already; start another", state.as_str()),
        )),
    }
}
