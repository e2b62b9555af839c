//! A simulated year: templates of all kinds and policies, managers that come and go, people who change things, downtime. In the
//! end the ledger has exactly one record for each nominal time of an independent enumeration, and the right one.
//!
//! * `times` is that enumeration; `definition` makes templates up.
//! * `simulation` is the course of events, `managers` who plans, `world` what is done to the database, `history` what of it
//!   the judge is told.
//! * `judge` and `ends` restate the policies and compare; `ledger` reads what there is to compare.
//!
//! `make simulate-year` is the long form. `SEED=` does a simulation again.

mod definition;
mod ends;
mod history;
mod judge;
mod ledger;
mod managers;
mod simulation;
mod times;
mod world;

use chrono::{DateTime, Utc};
use judge::{Judge, Verdict};
use ledger::Starts;
use simulation::{Simulation, Size};
use std::time::Instant;

/// Complaints that are printed; they seldom say different things.
const PRINTED: usize = 12;

/// A number from the environment.
fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {text}")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_nominal_time_has_the_right_record() {
    let templates = setting("TEMPLATES").unwrap_or(60) as usize;
    let days = setting("DAYS").unwrap_or(42) as i64;
    // A short simulation is a busy one.
    let size = Size { templates, days, rest_days: if days > 100 { 60.0 } else { 10.0 } };
    let seed = setting("SEED").unwrap_or(1);
    // Six weeks from here on have most of the changes of the clock of a spring and an autumn on earth.
    let start: DateTime<Utc> = "2025-03-01T00:00:00Z".parse().unwrap();
    let began = Instant::now();
    let mut simulation = Simulation::new(size, seed, start).await;
    let end = simulation.run().await;
    let simulated = began.elapsed();
    let starts = Starts::read(&simulation.world).await;
    let judge = Judge { world: &simulation.world, starts, end, verdict: Verdict::default() };
    let verdict = judge.all().await;
    let history = &simulation.world.history;
    let versions: usize = history.templates.iter().map(|told| told.versions.len()).sum();
    println!(
        "seed {seed}: {templates} templates in {versions} versions over {days} days, {} steps, {} pauses; \
         simulated in {simulated:.1?}, judged in {:.1?}\n  {:?}",
        simulation.steps,
        verdict.pauses,
        began.elapsed() - simulated,
        verdict.outcomes,
    );
    let complaints = verdict.complaints.len();
    let printed = verdict.complaints.iter().take(PRINTED).cloned().collect::<Vec<_>>().join("\n");
    assert!(
        complaints == 0,
        "{complaints} complaints; do it again with SEED={seed} TEMPLATES={templates} DAYS={days}\n{printed}"
    );
    assert!(verdict.outcomes.len() >= 4, "so little happened that nothing was shown: {:?}", verdict.outcomes);
}
