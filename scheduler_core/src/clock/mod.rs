//! One notion of "now": the database's clock, carried forward by the monotonic clock.
//!
//! The database clock decides what is due. A process measures it now and then
//! ([`Clock::observe`]) and in between adds the time that its own *monotonic* clock counted, so
//! that a stepped, skewed or absent wall clock on this host changes nothing. Tests inject a
//! [`Clock::manual`] one and move it by hand.
//!
//! `now()` is an estimate; [`Clock::error`] says how wrong it may be. Code that must never be
//! early waits with [`Clock::sleep_until_surely`], which adds that error.

mod measurements;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use measurements::{Measurements, Sample};

/// Corrections smaller than this do not wake sleepers: a timer is not more exact either.
const WAKE_THRESHOLD: Duration = Duration::from_millis(1);

/// The clock that a process decides by. Cheap to clone; clones share their state.
#[derive(Clone, Debug)]
pub struct Clock {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    source: Source,
    /// Counts jumps: a correction that sleepers must look at, or a manual move.
    jumps: watch::Sender<u64>,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one per process, behind an Arc")]
enum Source {
    Measured(Mutex<Measurements>),
    Manual(Mutex<DateTime<Utc>>),
}

impl Clock {
    /// A clock that starts from one reading of the database clock, true to within `error`
    /// (half the round trip of the query that read it).
    pub fn database(now: DateTime<Utc>, error: Duration) -> Self {
        let sample = Sample { time: now, at: Instant::now(), error };
        Self::with(Source::Measured(Mutex::new(Measurements::starting_with(sample))))
    }

    /// A clock that starts from this host's wall clock, for tools that have no database to ask.
    ///
    /// The wall clock is read once; from then on monotonic time is added, as everywhere.
    #[expect(clippy::disallowed_methods, reason = "the only place where the wall clock may be read")]
    pub fn local() -> Self {
        Self::database(Utc::now(), Duration::ZERO)
    }

    /// A clock that stands still at `start` until a test moves it.
    pub fn manual(start: DateTime<Utc>) -> Self {
        Self::with(Source::Manual(Mutex::new(start)))
    }

    fn with(source: Source) -> Self {
        Self { inner: Arc::new(Inner { source, jumps: watch::Sender::new(0) }) }
    }

    /// The best estimate of the database's time at this moment.
    ///
    /// Between measurements it only moves forward. A measurement may move it backwards, by its
    /// correction and never more.
    pub fn now(&self) -> DateTime<Utc> {
        match &self.inner.source {
            Source::Measured(measured) => measured.lock().best().time_at(Instant::now()),
            Source::Manual(time) => *time.lock(),
        }
    }

    /// How far [`Clock::now`] may be from the truth: half the round trip of the best recent
    /// measurement, plus what the clocks may have drifted since. Zero for a manual clock.
    pub fn error(&self) -> Duration {
        match &self.inner.source {
            Source::Measured(measured) => measured.lock().best().error_at(Instant::now()),
            Source::Manual(_) => Duration::ZERO,
        }
    }

    /// Takes in a reading of the database clock: `time` was read there at some moment between
    /// `sent` and `received` here.
    ///
    /// The best of the last few readings counts (shortest round trip, not too old). A reading
    /// that contradicts the present estimate by more than both errors means that the database
    /// clock was stepped (or that another server answers): the older readings are forgotten.
    /// Does nothing on a manual clock.
    pub fn observe(&self, time: DateTime<Utc>, sent: impl Into<Instant>, received: impl Into<Instant>) {
        let Source::Measured(measured) = &self.inner.source else {
            return;
        };
        let (sent, received) = (sent.into(), received.into());
        let half = received.saturating_duration_since(sent) / 2;
        let sample = Sample { time, at: sent + half, error: half };
        let forward = measured.lock().add(sample, Instant::now());
        if forward >= WAKE_THRESHOLD {
            self.jumped();
        }
    }

    /// How long it is from now until `at`; zero when `at` has passed.
    pub fn until(&self, at: DateTime<Utc>) -> Duration {
        (at - self.now()).to_std().unwrap_or(Duration::ZERO)
    }

    /// Like [`Clock::until`], with the possible error added: after this long, `at` has passed
    /// by the database's clock for certain.
    pub fn until_surely(&self, at: DateTime<Utc>) -> Duration {
        match (at + delta(self.error()) - self.now()).to_std() {
            Ok(left) => left,
            Err(_) => Duration::ZERO,
        }
    }

    /// Waits until [`Clock::now`] has reached `at`: at once when it has, never early. Sleepers
    /// notice when the clock is corrected or moved.
    pub async fn sleep_until(&self, at: DateTime<Utc>) {
        self.sleep_while(|clock| clock.until(at)).await;
    }

    /// Waits until `at` has passed for certain, the error of the measurement included.
    pub async fn sleep_until_surely(&self, at: DateTime<Utc>) {
        self.sleep_while(|clock| clock.until_surely(at)).await;
    }

    /// Moves a manual clock forward and wakes whoever sleeps on it.
    ///
    /// # Panics
    /// When the clock is not a manual one.
    pub fn advance(&self, by: Duration) {
        self.move_manual(|time| *time += delta(by));
    }

    /// Sets a manual clock, backwards too, and wakes whoever sleeps on it.
    ///
    /// # Panics
    /// When the clock is not a manual one.
    pub fn set(&self, to: DateTime<Utc>) {
        self.move_manual(|time| *time = to);
    }

    fn move_manual(&self, change: impl FnOnce(&mut DateTime<Utc>)) {
        let Source::Manual(time) = &self.inner.source else {
            panic!("only a manual clock can be moved by hand");
        };
        change(&mut time.lock());
        self.jumped();
    }

    fn jumped(&self) {
        self.inner.jumps.send_modify(|count| *count = count.wrapping_add(1));
    }

    async fn sleep_while(&self, left: impl Fn(&Clock) -> Duration) {
        // Subscribe before the first look, so that no jump falls between look and wait.
        let mut jumps = self.inner.jumps.subscribe();
        loop {
            let remaining = left(self);
            if remaining.is_zero() {
                return;
            }
            // The sender lives in `self`, so `changed` cannot fail.
            match &self.inner.source {
                Source::Manual(_) => drop(jumps.changed().await),
                Source::Measured(_) => tokio::select! {
                    () = tokio::time::sleep(nap(remaining)) => {}
                    _ = jumps.changed() => {}
                },
            }
        }
    }
}

/// The length of one timer on the way to a moment `remaining` away. Long waits stop a little
/// short and look again, because many small corrections may have added up in the meantime.
fn nap(remaining: Duration) -> Duration {
    const EXACT: Duration = Duration::from_secs(1);
    if remaining <= EXACT { remaining } else { remaining - remaining / 256 }
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use chrono::TimeZone;

    fn noon() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 3, 1, 12, 0, 0).unwrap()
    }

    const MS: Duration = Duration::from_millis(1);
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn an_observation_lies_in_the_middle_of_its_round_trip() {
        let clock = Clock::database(noon(), SECOND * 3600);
        let received = Instant::now();
        let sent = received - MS * 40;
        let time = noon() + TimeDelta::minutes(1);
        clock.observe(time, sent, received);
        let lowest = time + TimeDelta::milliseconds(20);
        let now = clock.now();
        assert!(now >= lowest && now < lowest + delta(received.elapsed() + MS), "{now}");
        assert!(clock.error() >= MS * 20 && clock.error() < MS * 21, "{:?}", clock.error());
    }

    #[test]
    fn long_waits_look_again_before_their_end() {
        assert_eq!(nap(MS * 7), MS * 7);
        assert!(nap(SECOND * 3600) < SECOND * 3600 && nap(SECOND * 3600) > SECOND * 3500);
    }

    #[tokio::test]
    async fn sleepers_are_never_early() {
        let clock = Clock::database(noon(), MS * 30);
        for ms in [0, 1, 7, 30] {
            let at = clock.now() + TimeDelta::milliseconds(ms) + TimeDelta::microseconds(300);
            clock.sleep_until(at).await;
            assert!(clock.now() >= at);
        }
        let at = clock.now();
        clock.sleep_until(at).await;
        clock.sleep_until_surely(at).await;
        assert!(clock.now() >= at + delta(clock.error()));
        assert_eq!(clock.until_surely(at), Duration::ZERO);
    }

    #[tokio::test]
    async fn a_correction_forward_wakes_sleepers() {
        let clock = Clock::database(noon(), MS);
        let at = noon() + TimeDelta::hours(2);
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep_until(at).await }
        });
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        let now = Instant::now();
        clock.observe(at, now, now);
        sleeper.await.unwrap();
        assert!(clock.now() >= at);
    }

    #[tokio::test]
    async fn a_manual_clock_stands_still_and_wakes_its_sleepers_when_moved() {
        let clock = Clock::manual(noon());
        let at = noon() + TimeDelta::seconds(10);
        assert_eq!(clock.until(at), SECOND * 10);
        assert_eq!(clock.until(noon() - TimeDelta::seconds(1)), Duration::ZERO);
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move {
                clock.sleep_until(at).await;
                clock.now()
            }
        });
        clock.advance(SECOND * 9);
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.set(at);
        assert_eq!(sleeper.await.unwrap(), at);
        assert_eq!(clock.error(), Duration::ZERO);
    }

    #[test]
    #[should_panic(expected = "only a manual clock")]
    fn a_database_clock_cannot_be_moved_by_hand() {
        Clock::database(noon(), MS).advance(SECOND);
    }
}
