//! Readings of the database clock, and which of them counts.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::delta;

/// How many readings are remembered.
const SAMPLES: usize = 8;

/// How far two clocks are assumed to drift apart, as a fraction of the time that passed.
const DRIFT: f64 = 50e-6;

/// One reading: the database said `time` at our `at`, give or take `error`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) time: DateTime<Utc>,
    pub(super) at: Instant,
    pub(super) error: Duration,
}

impl Sample {
    pub(super) fn time_at(&self, now: Instant) -> DateTime<Utc> {
        // `at` lies ahead of `now` only when a test made it so; then stand still.
        self.time + delta(now.saturating_duration_since(self.at))
    }

    pub(super) fn error_at(&self, now: Instant) -> Duration {
        self.error + now.saturating_duration_since(self.at).mul_f64(DRIFT)
    }
}

/// The last few readings and which of them counts.
#[derive(Debug)]
pub(super) struct Measurements {
    samples: [Sample; SAMPLES],
    next: usize,
    best: Sample,
}

impl Measurements {
    pub(super) fn starting_with(sample: Sample) -> Self {
        Self { samples: [sample; SAMPLES], next: 0, best: sample }
    }

    pub(super) fn best(&self) -> &Sample {
        &self.best
    }

    /// Adds a reading; returns by how much the clock jumped forward (zero if it did not).
    pub(super) fn add(&mut self, sample: Sample, now: Instant) -> Duration {
        let before = self.best.time_at(now);
        if self.contradicts(&sample, now) {
            *self = Self::starting_with(sample);
        } else {
            self.samples[self.next] = sample;
            self.next = (self.next + 1) % SAMPLES;
            self.best = self.samples.into_iter().min_by_key(|sample| sample.error_at(now)).unwrap_or(sample);
        }
        (self.best.time_at(now) - before).to_std().unwrap_or(Duration::ZERO)
    }

    fn contradicts(&self, sample: &Sample, now: Instant) -> bool {
        let apart = (sample.time_at(now) - self.best.time_at(now)).abs();
        apart > delta(sample.error_at(now) + self.best.error_at(now))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use chrono::{TimeDelta, TimeZone};

    const MS: Duration = Duration::from_millis(1);
    const SECOND: Duration = Duration::from_secs(1);

    fn noon() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 3, 1, 12, 0, 0).unwrap()
    }

    /// Readings that began at `start` with the given error; time is the argument.
    fn measured(error: Duration) -> (Measurements, Instant) {
        let start = Instant::now();
        let sample = Sample { time: noon(), at: start, error };
        (Measurements::starting_with(sample), start)
    }

    #[test]
    fn carries_the_database_time_forward_and_grows_less_certain() {
        let (measurements, start) = measured(MS);
        let later = start + SECOND * 90;
        assert_eq!(measurements.best().time_at(start), noon());
        assert_eq!(measurements.best().time_at(later), noon() + TimeDelta::seconds(90));
        // 1 ms and 90 s of 50 ppm drift.
        assert_eq!(measurements.best().error_at(later), Duration::from_micros(5_500));
    }

    #[test]
    fn a_better_measurement_replaces_a_worse_one() {
        let (mut measurements, start) = measured(SECOND);
        let time = noon() + TimeDelta::milliseconds(301);
        let forward = measurements.add(Sample { time, at: start + MS, error: MS }, start + MS * 2);
        assert_eq!(measurements.best().time_at(start + MS * 2), time + TimeDelta::milliseconds(1));
        assert_eq!(measurements.best().error, MS);
        assert_eq!(forward, MS * 300);
    }

    #[test]
    fn a_worse_measurement_changes_nothing_while_the_better_is_fresh() {
        let (mut measurements, start) = measured(MS);
        let time = noon() + TimeDelta::milliseconds(190);
        let sample = Sample { time, at: start + MS * 200, error: MS * 200 };
        assert_eq!(measurements.add(sample, start + MS * 400), Duration::ZERO);
        let now = measurements.best().time_at(start + MS * 400);
        assert_eq!(now, noon() + TimeDelta::milliseconds(400));
    }

    #[test]
    fn an_old_measurement_gives_way_in_the_end() {
        let (mut measurements, start) = measured(Duration::ZERO);
        let at = start + SECOND * 400; // drift may be 20 ms by now
        let time = noon() + TimeDelta::milliseconds(400_015);
        measurements.add(Sample { time, at, error: MS * 5 }, at);
        assert_eq!(measurements.best().time_at(at), time);
        assert_eq!(measurements.best().error, MS * 5);
    }

    #[test]
    fn only_the_last_few_measurements_are_remembered() {
        let (mut measurements, start) = measured(Duration::ZERO);
        for n in 1..=SAMPLES as u32 {
            let at = start + SECOND * n;
            let time = noon() + TimeDelta::seconds(n.into());
            measurements.add(Sample { time, at, error: SECOND }, at);
        }
        assert_eq!(measurements.best().error, SECOND);
    }

    #[test]
    fn a_stepped_database_clock_is_believed_both_ways() {
        let (mut measurements, start) = measured(MS);
        for (n, hours) in [(1, 1), (2, -3)] {
            let (at, time) = (start + SECOND * n, noon() + TimeDelta::hours(hours));
            measurements.add(Sample { time, at, error: MS * 10 }, at);
            assert_eq!(measurements.best().time_at(at), time);
        }
    }
}
