//! Intervals and single times.

use super::{Around, Nominal, Span};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use test_support::Random;

/// Every so many seconds from an anchor.
#[derive(Clone, Copy, Debug)]
pub struct Interval {
    pub every: TimeDelta,
    anchor: Anchor,
}

#[derive(Clone, Copy, Debug)]
enum Anchor {
    Epoch,
    /// The creation of the template.
    Start,
    At(DateTime<Utc>),
    /// The end of the last run: its times are not known beforehand.
    Completion,
}

impl Interval {
    /// One that is no denser than about every `least` seconds.
    pub fn random(random: &mut Random, least: u64, around: DateTime<Utc>) -> Self {
        let seconds = least + random.below(least * 4);
        // Whole hours and minutes are what people choose.
        let seconds = if random.chance(50) { seconds.div_ceil(3_600) * 3_600 } else { seconds };
        let anchor = match random.below(3) {
            0 => Anchor::Epoch,
            1 => Anchor::Start,
            _ => Anchor::At(around - TimeDelta::seconds(random.below(40 * 86_400) as i64 - 5 * 86_400)),
        };
        Self { every: TimeDelta::seconds(seconds as i64), anchor }
    }

    /// As `@every` has it.
    pub fn from_start(seconds: u64) -> Self {
        Self { every: TimeDelta::seconds(seconds as i64), anchor: Anchor::Start }
    }

    pub fn from_completion(random: &mut Random) -> Self {
        let seconds = 3_600 + random.below(30 * 3_600);
        Self { every: TimeDelta::seconds(seconds as i64), anchor: Anchor::Completion }
    }

    pub fn counts_from_ends(&self) -> bool {
        matches!(self.anchor, Anchor::Completion)
    }

    pub fn json(&self) -> Value {
        let anchor = match self.anchor {
            Anchor::Epoch => "epoch".to_owned(),
            Anchor::Start => "start".to_owned(),
            Anchor::Completion => "completion".to_owned(),
            Anchor::At(at) => at.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        };
        json!({"kind": "interval", "every_seconds": self.every.num_seconds(), "anchor": anchor})
    }

    pub fn times(&self, span: Span, around: Around<'_>) -> Vec<Nominal> {
        let anchor = match self.anchor {
            Anchor::Epoch => DateTime::UNIX_EPOCH,
            Anchor::Start => around.created_at,
            Anchor::At(at) => at,
            Anchor::Completion => return Vec::new(),
        };
        let every = self.every.num_seconds();
        let first = ((span.after - anchor).num_seconds() / every - 1).max(0);
        let ticks = (first..).map(|n| anchor + TimeDelta::seconds(n * every));
        ticks.take_while(|at| *at <= span.until).filter(|at| span.contains(*at)).map(Nominal::runs).collect()
    }
}

/// A single time.
#[derive(Clone, Copy, Debug)]
pub struct Once(DateTime<Utc>);

impl Once {
    pub fn random(random: &mut Random, span: Span) -> Self {
        let seconds = (span.until - span.after).num_seconds() as u64;
        Self(span.after + TimeDelta::seconds(random.below(seconds) as i64))
    }

    pub fn json(&self) -> Value {
        json!({"kind": "once", "at": self.0.to_rfc3339_opts(SecondsFormat::AutoSi, true)})
    }

    pub fn times(&self, span: Span) -> Vec<Nominal> {
        Some(self.0).filter(|at| span.contains(*at)).map(Nominal::runs).into_iter().collect()
    }
}
