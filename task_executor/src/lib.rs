//! Claims ready jobs, runs their targets and reports results.
//!
//! * **Reads**: Redis (ids of ready jobs), `claim_jobs_v1` (target and payload of what was granted), `jobs_live` joined
//!   with `claims` (what was called off; what is due, while Redis is away).
//! * **Writes**: `sessions`, `claims`, `jobs_live`, `jobs_finished`, `executions`.
//! * **Wakes on**: a push to a ready set; the cancel hint.
//! * **Edges it owns**: `scheduled | retrying` → `running`; `running` → `succeeded | failed | cancelled`, and back
//!   unstarted on a drain.
//! * **If it dies**: its session is missed after `session.lost_seconds`, a watcher takes its claims back and the jobs
//!   run again elsewhere; results that it had not written are refused as stale.
//!
//! The way of a job: `intake` takes ids from a `source`, `claiming` turns them into grants, `dispatch` starts a
//! `runner` for each, whose report the `reporter` writes. `session` fences all of it.

mod appetite;
mod cancels;
mod claiming;
mod dispatch;
mod doubt;
mod executor;
mod hint_pump;
mod intake;
mod lane;
mod reporter;
mod runner;
mod running;
mod session;
mod session_keeper;
mod slots;
mod source;
mod stores;
mod suspects;
pub mod targets;

use scheduler_core::config::Settings;
use scheduler_core::health::Health;
use scheduler_core::lifecycle::Shutdown;

/// Runs the executor until it is shut down. An unreachable database or Redis is waited for, at the start and later.
///
/// # Errors
/// When a setting cannot be used: a URL that cannot be read, a user agent that is no header value.
pub async fn run(settings: Settings, health: Health, shutdown: Shutdown) -> anyhow::Result<()> {
    scheduler_core::daemon::install_tls();
    executor::run(settings, health, shutdown).await
}
