//! A measurement's figures.

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
