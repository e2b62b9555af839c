//! Expands templates into occurrences and jobs, ahead of time.
//!
//! * *Reads*: `templates` whose next occurrence is near, `template_reviews`, `backfills` and the ends of their jobs, `freezes`,
//!   `queues` (the lane), `jobs_finished` (how the jobs of a failing template ended, what a backfill may run again).
//! * *Writes*: `occurrences` and `jobs_live` (new rows), `templates` (how far it has come, pauses, deletions), `backfills` (how far
//!   they have come), alerts; due hints.
//! * *Wakes on*: template hints, for backfills also the ends of jobs; otherwise every `recurrence.tick_seconds`.
//! * *Edges it owns*: none; it makes jobs, in the state `scheduled`, and takes back those that are planned anew.
//! * *If it dies*: what lies within the look-ahead runs all the same. Another instance, or the next start, goes on
//!   where the ledger ends; what was missed meanwhile is made up for as the template's catch-up policy says.
//!
//! Any number of instances may run: rows are taken with `SKIP LOCKED`, and the key of the ledger makes every
//! occurrence exist once.

mod announce;
mod backfiller;
mod materialiser;
mod reviewer;

pub use announce::Announcer;
pub use backfiller::Backfiller;
pub use materialiser::Materialiser;
pub use reviewer::Reviewer;

use scheduler_core::attach::{self, CLOCK_PERIOD, ClockStep, Loops};
use scheduler_core::config::Settings;
use scheduler_core::health::Health;
use scheduler_core::lifecycle::Shutdown;
use scheduler_core::queue::{HintSender, Topic};
use scheduler_core::reconcile::Wake;
use scheduler_core::store::StoreRole;

/// Runs the service until the soft shutdown. An unreachable PostgreSQL or Redis makes it unhealthy or slower and never
/// ends it.
///
/// # Errors
/// When the settings name a database or a Redis in a way that cannot be used.
pub async fn run(settings: Settings, health: Health, shutdown: Shutdown) -> anyhow::Result<()> {
    let connections = settings.database.max_connections.min(4);
    let store = attach::pool(&settings.database, "task_recurrence_manager", StoreRole::Durable, connections)?;
    let redis = attach::redis(&settings.redis).await?;
    let Some(clock) = attach::database_clock(&store, &health, &shutdown).await else {
        return Ok(());
    };

    let (loops, wake) = (Loops::new(&health, &shutdown), Wake::new());
    // So that a template created with an occurrence in two seconds fires on time.
    let listening = tokio::spawn(attach::wake_on(redis.clone(), &[Topic::Template], wake.clone(), shutdown.clone()));
    let next = Wake::new();
    // The next job of a backfill follows the end of the one before.
    let following = attach::wake_on(redis.clone(), &[Topic::Ending, Topic::Template], next.clone(), shutdown);
    let following = tokio::spawn(following);
    let clock_step = ClockStep::new(store.clone(), clock.clone(), health);
    let announcer = Announcer::new(clock.clone(), HintSender::new(redis));
    let materialiser = Materialiser::new(store.clone(), clock.clone(), announcer.clone(), &settings);
    let reviewer = Reviewer::new(store.clone(), clock.clone(), announcer.clone());
    let backfiller = Backfiller::new(store.clone(), clock, announcer);
    tokio::join!(
        loops.run(clock_step, Wake::new(), CLOCK_PERIOD),
        loops.run(materialiser, wake, settings.recurrence.tick),
        loops.run(reviewer, Wake::new(), settings.recurrence.tick),
        loops.run(backfiller, next, settings.recurrence.tick),
    );
    listening.abort();
    following.abort();
    store.close().await;
    Ok(())
}
