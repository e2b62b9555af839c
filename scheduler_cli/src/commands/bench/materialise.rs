//! Templates become occurrences and jobs: how many a second, and that a tick costs what is due and not what is stored.
//!
//! Everything happens twenty years ahead, where the daemons of the same database do not look; it is removed afterwards.

use super::report::Report;
use crate::cli::Globals;
use anyhow::{Context as _, ensure};
use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use scheduler_core::domain::{MerchantId, TemplateSpec};
use scheduler_core::store::materialise::MaterialiseOptions;
use scheduler_core::store::{Store, StoreOptions, StoreRole};
use serde_json::json;
use std::io::Write as _;
use std::time::{Duration, Instant};

/// How many managers plan, each on a connection of its own.
const MANAGERS: usize = 2;
/// Occurrences that a manager writes in one transaction at most, and the floor in each.
const BATCH: usize = 5_000;
/// Templates that are due in the ticks that are timed.
const DUE: usize = 200;
/// Ticks that are timed for each number of templates stored.
const TICKS: usize = 31;
/// Filling a table with a million rows may take a while.
const PATIENCE: Duration = Duration::from_secs(600);
/// How far ahead of the present everything happens.
const AHEAD: TimeDelta = TimeDelta::days(20 * 365);
const MINUTE: TimeDelta = TimeDelta::minutes(1);

/// A database, a merchant of its own in it, and a clock that the measurement moves.
struct Bench {
    store: Store,
    merchant: MerchantId,
    options: MaterialiseOptions,
    now: DateTime<Utc>,
}

/// Measures.
pub async fn measure(globals: &Globals, occurrences: usize, stored: &[usize]) -> anyhow::Result<Report> {
    ensure!((1_000..=10_000_000).contains(&occurrences), "--occurrences must be from 1000 to 10000000");
    ensure!(stored.iter().all(|count| (DUE..=10_000_000).contains(count)), "--stored must be from {DUE} to 10000000");
    let mut bench = Bench::new(globals).await?;
    let measured = bench.measure(occurrences, stored).await;
    progress("removing what was made");
    let removed = bench.store.remove_measured(bench.merchant).await;
    let report = measured?;
    removed?;
    Ok(report)
}

impl Bench {
    async fn new(globals: &Globals) -> anyhow::Result<Self> {
        let settings = globals.settings()?;
        let mut options =
            StoreOptions::new(settings.database.url.expose(), StoreRole::Durable, MANAGERS as u32, "scheduler_bench");
        options.statement_timeout = PATIENCE;
        let store = Store::connect_lazy(&options)?;
        let merchant = match store.find_merchant("bench-materialise").await? {
            Some(merchant) => merchant.id,
            None => {
                let made = store.create_merchant("bench-materialise", 1).await?;
                made.context("the merchant appeared meanwhile; try again")?.id
            }
        };
        store.remove_measured(merchant).await?;
        let now = (store.read_clock().await?.database + AHEAD).duration_trunc(MINUTE)?;
        let recurrence = &settings.recurrence;
        let options = MaterialiseOptions {
            lookahead: recurrence.lookahead,
            templates: recurrence.batch_templates,
            occurrences: recurrence.max_occurrences_per_tick,
        };
        Ok(Self { store, merchant, options, now })
    }

    async fn measure(&mut self, occurrences: usize, stored: &[usize]) -> anyhow::Result<Report> {
        progress("floor");
        let floor = self.floor(occurrences).await?;
        progress("one occurrence a template");
        let (sparse, sparse_made) = self.throughput("* * * * *", occurrences).await?;
        progress("one a second of each template");
        let (dense, dense_made) = self.throughput("* * * * * *", occurrences).await?;
        let mut report = Report::default()
            .add("measure", "templates become occurrences and jobs")
            .add("managers", MANAGERS)
            .add("floor_per_second", floor.round())
            .add("one_each_per_second", sparse.round())
            .add("one_each_of_floor", (sparse / floor * 100.0).round() / 100.0)
            .add("one_each_occurrences", sparse_made)
            .add("one_a_second_each_per_second", dense.round())
            .add("one_a_second_each_of_floor", (dense / floor * 100.0).round() / 100.0)
            .add("one_a_second_each_occurrences", dense_made);
        let mut ticks: Vec<f64> = Vec::new();
        for count in stored {
            progress(&format!("ticks with {count} templates stored"));
            let (due, idle) = self.ticks(*count).await?;
            report = report
                .add(&format!("tick_ms_of_{DUE}_due_among_{count}"), millis(due))
                .add(&format!("tick_ms_of_none_due_among_{count}"), millis(idle));
            ticks.push(due.as_secs_f64());
        }
        let least = ticks.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ticks.iter().copied().fold(0.0, f64::max);
        Ok(report.add("slowest_tick_to_fastest", (most / least * 100.0).round() / 100.0))
    }

    /// Occurrences and jobs a second as bare rows, by as many writers as there are managers.
    async fn floor(&self, occurrences: usize) -> anyhow::Result<f64> {
        let batches = occurrences.div_ceil(BATCH);
        let spec = spec("* * * * *")?;
        let (times, started) = ((self.now, self.now + MINUTE), Instant::now());
        let writer = async |number: usize| {
            for _ in (number..batches).step_by(MANAGERS) {
                self.store.insert_bare_occurrences(self.merchant, &spec, BATCH, times).await?;
            }
            anyhow::Ok(())
        };
        tokio::try_join!(writer(0), writer(1))?;
        let took = started.elapsed();
        self.store.remove_measured(self.merchant).await?;
        Ok((batches * BATCH) as f64 / took.as_secs_f64())
    }

    /// Occurrences a second of templates with this schedule, and how many there were.
    async fn throughput(&mut self, expression: &str, occurrences: usize) -> anyhow::Result<(f64, usize)> {
        let lookahead = TimeDelta::from_std(self.options.lookahead)?;
        // So many occurrences has each within the look-ahead.
        let each = if expression.len() > "* * * * *".len() { lookahead.num_seconds() } else { lookahead.num_minutes() };
        let each = usize::try_from(each)?;
        ensure!(each > 0, "recurrence.lookahead_seconds must be at least 60 here");
        let step = if expression.len() > "* * * * *".len() { TimeDelta::seconds(1) } else { MINUTE };
        let count = occurrences.div_ceil(each);
        self.store
            .fill_templates(self.merchant, (&spec(expression)?, "due"), count, (self.now, self.now + step))
            .await?;
        let started = Instant::now();
        let manager = async || {
            let mut made = 0;
            loop {
                let done = self.store.materialise(self.now, &self.options).await?;
                made += done.jobs.len();
                if !done.more {
                    return anyhow::Ok(made);
                }
            }
        };
        let (one, other) = tokio::try_join!(manager(), manager())?;
        let took = started.elapsed();
        ensure!(one + other == count * each, "{} occurrences of {}", one + other, count * each);
        self.store.remove_measured(self.merchant).await?;
        self.now += lookahead + MINUTE;
        Ok(((one + other) as f64 / took.as_secs_f64(), one + other))
    }

    /// How long a tick takes that finds [`DUE`] templates due among so many, and one that finds none: medians.
    async fn ticks(&mut self, stored: usize) -> anyhow::Result<(Duration, Duration)> {
        let spec = spec("* * * * *")?;
        self.store.fill_templates(self.merchant, (&spec, "due"), DUE, (self.now, self.now + MINUTE)).await?;
        let later = self.now + TimeDelta::days(365);
        self.store.fill_templates(self.merchant, (&spec, "later"), stored - DUE, (self.now, later)).await?;
        let options = MaterialiseOptions { lookahead: Duration::from_secs(60), templates: DUE + 1, ..self.options };
        let (mut due, mut idle) = (Vec::new(), Vec::new());
        for _ in 0..TICKS {
            due.push(self.tick(&options, DUE).await?);
            idle.push(self.tick(&options, 0).await?);
            self.now += MINUTE;
        }
        self.store.remove_measured(self.merchant).await?;
        due.sort_unstable();
        idle.sort_unstable();
        Ok((due[TICKS / 2], idle[TICKS / 2]))
    }

    async fn tick(&self, options: &MaterialiseOptions, due: usize) -> anyhow::Result<Duration> {
        let started = Instant::now();
        let done = self.store.materialise(self.now, options).await?;
        let took = started.elapsed();
        ensure!(done.jobs.len() == due, "{} occurrences in a tick of {due}", done.jobs.len());
        Ok(took)
    }
}

/// A template with a payload of the size that measurements of job queues commonly use.
fn spec(expression: &str) -> anyhow::Result<TemplateSpec> {
    let body = json!({
        "name": "bench", "schedule": { "kind": "cron", "expression": expression },
        "job": { "target": { "kind": "noop" }, "payload": { "text": "x".repeat(180) } },
    });
    // Read as the API reads it: the payload is kept as it is written.
    Ok(serde_json::from_str(&body.to_string())?)
}

fn millis(took: Duration) -> f64 {
    (took.as_secs_f64() * 100_000.0).round() / 100.0
}

fn progress(what: &str) {
    // For whoever watches; a closed standard error is no reason to stop.
    let _nobody_watches = writeln!(std::io::stderr(), "{what}");
}
