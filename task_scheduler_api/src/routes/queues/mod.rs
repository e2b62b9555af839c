//! Queues.

pub mod change;
pub mod list;
pub mod pause;
pub mod resume;

use crate::problem::Problem;
use crate::state::AppState;
use scheduler_core::domain::MerchantId;
use scheduler_core::store::queues::Queue;

/// The queue, or 404.
async fn find(app: &AppState, merchant: MerchantId, name: &str) -> Result<Queue, Problem> {
    app.store.queue(merchant, name).await?.ok_or_else(|| missing(name))
}

fn missing(name: &str) -> Problem {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(128).collect();
    Problem::not_found("queue", format!("`{shown}`; a queue exists once a job has named it, or PATCH has made it"))
}

/// Names that no queue can have need no question to the database (which could not even be asked all of them).
fn check_name(name: &str) -> Result<(), Problem> {
    match scheduler_core::domain::job_spec::validate_name(name) {
        None => Ok(()),
        Some(_) => Err(missing(name)),
    }
}
