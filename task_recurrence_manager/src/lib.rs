//! Expands templates into occurrences and jobs, ahead of time.
//!
//! * *Reads*: `templates` whose next occurrence is near, `queues` (the lane).
//! * *Writes*: `occurrences` and `jobs_live` (new rows), `templates` (how far it has come); due hints.
//! * *Wakes on*: template hints, otherwise every `recurrence.tick_seconds`.
//! * *Edges it owns*: none; it makes jobs, in the state `scheduled`.
//! * *If it dies*: what lies within the look-ahead runs all the same. Another instance, or the next start, goes on
//!   where the ledger ends; of what was missed meanwhile only the latest occurrence is made up for, up to an hour late.
//!
//! Any number of instances may run: rows are taken with `SKIP LOCKED`, and the key of the ledger makes every
//! occurrence exist once.

mod clock_step;
mod hints;
mod materialiser;
mod start;

pub use materialiser::Materialiser;

use clock_step::ClockStep;
use scheduler_core::config::Settings;
use scheduler_core::health::Health;
use scheduler_core::lifecycle::Shutdown;
use scheduler_core::queue::{HintSender, Redis};
use scheduler_core::reconcile::{Wake, run_loop};
use scheduler_core::store::{Store, StoreOptions, StoreRole};
use std::time::Duration;

/// Silence after which a loop counts as stuck, on top of a few of its periods.
const MAX_SILENCE: Duration = Duration::from_secs(30);

/// Runs the service until the soft shutdown. An unreachable PostgreSQL or Redis makes it unhealthy or slower and never
/// ends it.
///
/// # Errors
/// When the settings name a database or a Redis in a way that cannot be used.
pub async fn run(settings: Settings, health: Health, shutdown: Shutdown) -> anyhow::Result<()> {
    let store = Store::connect_lazy(&store_options(&settings))?;
    let redis = Redis::connect(settings.redis.url.expose(), &settings.redis.prefix).await?;
    let Some(clock) = start::first_reading(&store, &health, &shutdown).await else {
        return Ok(());
    };

    let wake = Wake::new();
    let period = settings.recurrence.tick;
    let listening = tokio::spawn(hints::listen(redis.clone(), wake.clone(), shutdown.clone()));
    let stepping = run_loop(
        ClockStep::new(store.clone(), clock.clone()),
        Wake::new(),
        clock_step::PERIOD,
        health.register_loop("clock", MAX_SILENCE + clock_step::PERIOD * 4),
        shutdown.clone(),
    );
    let materialising = run_loop(
        Materialiser::new(store.clone(), clock, HintSender::new(redis), &settings, health.clone()),
        wake,
        period,
        health.register_loop("materialise", MAX_SILENCE + period * 4),
        shutdown.clone(),
    );
    tokio::join!(stepping, materialising);
    listening.abort();
    store.close().await;
    Ok(())
}

fn store_options(settings: &Settings) -> StoreOptions {
    let database = &settings.database;
    let mut options = StoreOptions::new(
        database.url.expose(),
        StoreRole::Durable,
        database.max_connections.min(4),
        "task_recurrence_manager",
    );
    options.statement_timeout = database.statement_timeout;
    options
}
