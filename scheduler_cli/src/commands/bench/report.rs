//! A measurement's figures.

use super::usage::Usage;
use crate::output::{self, Format};
use hdrhistogram::Histogram;
use serde_json::{Map, Value};
use std::time::Duration;

/// Named figures, in the order in which they were added.
#[derive(Debug, Default)]
pub struct Report {
    figures: Map<String, Value>,
}

impl Report {
    /// Adds a figure.
    pub fn add(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.figures.insert(name.to_owned(), value.into());
        self
    }

    /// Adds percentiles of waits, in milliseconds. `early`: how many were negative.
    pub fn waits(self, waits: &Waits) -> Self {
        let at = |q: f64| (waits.histogram.value_at_quantile(q) as f64 / 10.0).round() / 100.0;
        self.add("p50_ms", at(0.5))
            .add("p90_ms", at(0.9))
            .add("p99_ms", at(0.99))
            .add("max_ms", at(1.0))
            .add("early", waits.early)
            .add("samples", waits.histogram.len() + waits.early)
    }

    /// Adds what each of `count` things cost.
    pub fn usage(self, what: &str, used: &Usage, count: usize) -> Self {
        let each = |total: f64| (total / count.max(1) as f64 * 1000.0).round() / 1000.0;
        self.add(&format!("wal_bytes_per_{what}"), each(used.wal_bytes as f64).round())
            .add(&format!("commits_per_{what}"), each(used.commits as f64))
            .add(&format!("redis_commands_per_{what}"), each(used.redis_commands as f64))
            .add(&format!("daemon_cpu_us_per_{what}"), each(used.cpu.as_secs_f64() * 1e6).round())
            .add(&format!("daemon_memory_mb_after_{what}"), (used.resident_bytes as f64 / 1e6).round())
    }

    /// Which measurement it is; two of them differ by more than their figures when their rates do.
    pub fn name(&self) -> String {
        let text = self.figures.get("measure").and_then(Value::as_str).unwrap_or_default();
        match self.figures.get("rate_per_second").and_then(Value::as_u64) {
            Some(rate) => format!("{text}, {rate}/s"),
            None => text.to_owned(),
        }
    }

    /// Its figures that are single numbers.
    pub fn numbers(&self) -> impl Iterator<Item = (&String, f64)> {
        self.figures.iter().filter_map(|(name, value)| Some((name, value.as_f64()?)))
    }

    /// Prints it.
    pub fn print(self, format: Format) {
        output::item(format, &Value::Object(self.figures));
    }
}

/// A distribution of waits, from a microsecond to a minute.
#[derive(Debug)]
pub struct Waits {
    histogram: Histogram<u64>,
    early: u64,
}

impl Waits {
    /// Empty.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self { histogram: Histogram::new_with_bounds(1, 60_000_000, 3)?, early: 0 })
    }

    /// Adds one wait, in microseconds; a negative one counts as early.
    pub fn add_micros(&mut self, micros: i64) {
        match u64::try_from(micros) {
            Ok(micros) => self.histogram.saturating_record(micros.max(1)),
            Err(_) => self.early += 1,
        }
    }

    /// Adds one wait.
    pub fn add(&mut self, wait: Duration) {
        self.add_micros(i64::try_from(wait.as_micros()).unwrap_or(i64::MAX));
    }
}
