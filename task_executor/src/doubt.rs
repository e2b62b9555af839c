//! What the loops of a lane think of Redis: whether it gives ids at all, and whether what is due gets into it.
//!
//! Redis may answer and still be of no use: it refuses pushes for want of memory, or somebody wrote into our keys. Time and
//! counts are arguments here; nothing waits.

use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// How long jobs that nobody pushed are remembered: for so long the next ones are not waited for.
const MEMORY: Duration = Duration::from_secs(10);
/// How often is judged whether Redis gives more than it lacks.
const WINDOW: Duration = Duration::from_secs(2);
/// How long a Redis that refuses pops is left alone.
const SHUN: Duration = Duration::from_secs(1);
/// Least time between two lines in the log about the same.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Doubts that what is due gets into Redis. Begins with jobs that were overdue and not there.
#[derive(Debug, Default)]
pub(crate) struct Doubt {
    reasons: Option<Reasons>,
    told: Option<Instant>,
}

#[derive(Debug)]
struct Reasons {
    until: Instant,
    window_ends: Instant,
    /// What Redis had given when the window began.
    given_before: u64,
    /// What Redis lacked since then.
    lacked: u64,
}

impl Doubt {
    /// Jobs were granted that Redis did not have; `given`: what it has ever given. Says whether that is news for the log.
    pub fn add(&mut self, lacked: u64, given: u64, now: Instant) -> bool {
        let began = self.reasons.is_none();
        let reasons = self.reasons.get_or_insert(Reasons {
            until: now,
            window_ends: now + WINDOW,
            given_before: given,
            lacked: 0,
        });
        reasons.until = now + MEMORY;
        reasons.lacked += lacked;
        began && tells(&mut self.told, now)
    }

    /// Whether there is still reason for it: not when Redis gave more than it lacked, nor when nothing was lacking for long.
    pub fn lasts(&mut self, given: u64, now: Instant) -> bool {
        let Some(reasons) = &mut self.reasons else {
            return false;
        };
        let judged = now >= reasons.window_ends;
        if now >= reasons.until || (judged && given.saturating_sub(reasons.given_before) > reasons.lacked) {
            self.reasons = None;
            return false;
        }
        if judged {
            (reasons.window_ends, reasons.given_before, reasons.lacked) = (now + WINDOW, given, 0);
        }
        true
    }
}

fn tells(told: &mut Option<Instant>, now: Instant) -> bool {
    let tells = told.is_none_or(|at| now.saturating_duration_since(at) >= TELL_EVERY);
    if tells {
        *told = Some(now);
    }
    tells
}

/// What the loops of one lane share about Redis.
#[derive(Debug, Default)]
pub(crate) struct Experience {
    given: AtomicU64,
    /// The last pop was refused.
    refusing: AtomicBool,
    refusals: Mutex<Refusals>,
}

#[derive(Debug, Default)]
struct Refusals {
    shun_until: Option<Instant>,
    /// The log knows of this streak.
    known: bool,
    told: Option<Instant>,
}

impl Experience {
    /// Jobs were granted whose ids came from Redis.
    pub fn gave(&self, granted: u64) {
        self.given.fetch_add(granted, Ordering::Relaxed);
    }

    /// Jobs ever granted whose ids came from Redis.
    pub fn given(&self) -> u64 {
        self.given.load(Ordering::Relaxed)
    }

    /// Redis refused a pop: it is left alone for a moment. Says whether that is news for the log.
    pub fn refused(&self, now: Instant) -> bool {
        self.refusing.store(true, Ordering::Relaxed);
        let mut refusals = self.refusals.lock();
        refusals.shun_until = Some(now + SHUN);
        let news = !refusals.known && tells(&mut refusals.told, now);
        refusals.known |= news;
        news
    }

    /// Redis answered a pop. Says whether it had refused the one before.
    pub fn recovered(&self) -> bool {
        self.refusing.swap(false, Ordering::Relaxed)
    }

    /// Redis answered a pop, be it with nothing. Says whether that is news for the log.
    pub fn answered(&self) -> bool {
        std::mem::take(&mut self.refusals.lock().known)
    }

    /// For how long Redis is still left alone.
    pub fn shunned(&self, now: Instant) -> Option<Duration> {
        let until = self.refusals.lock().shun_until?;
        Some(until.saturating_duration_since(now)).filter(|left| !left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_doubt_lasts_while_jobs_are_lacking_and_a_while_longer() {
        let (mut doubt, start) = (Doubt::default(), Instant::now());
        assert!(!doubt.lasts(0, start));
        assert!(doubt.add(5, 100, start));
        for second in 1..60 {
            assert!(doubt.lasts(100, start + SECOND * second));
            assert!(!doubt.add(1, 100, start + SECOND * second), "told once");
        }
        assert!(doubt.lasts(100, start + SECOND * 59 + MEMORY - Duration::from_millis(1)));
        assert!(!doubt.lasts(100, start + SECOND * 59 + MEMORY));
    }

    #[test]
    fn a_redis_that_gives_more_than_it_lacks_is_trusted_again() {
        let (mut doubt, start) = (Doubt::default(), Instant::now());
        doubt.add(50, 1_000, start);
        assert!(doubt.lasts(1_040, start + WINDOW), "forty given, fifty lacking");
        doubt.add(3, 1_040, start + WINDOW);
        assert!(doubt.lasts(1_100, start + WINDOW + SECOND), "not judged yet");
        assert!(!doubt.lasts(1_100, start + WINDOW * 2));
        assert!(!doubt.add(1, 1_100, start + WINDOW * 2), "it begins again, and the log has just been told");
        assert!(doubt.lasts(1_100, start + WINDOW * 3));
    }

    #[test]
    fn refusals_are_told_once_in_a_streak_and_not_too_often() {
        let (experience, start) = (Experience::default(), Instant::now());
        assert!(!experience.answered() && experience.shunned(start).is_none());
        assert!(experience.refused(start));
        assert_eq!(experience.shunned(start), Some(SHUN));
        assert!(experience.shunned(start + SHUN).is_none());
        assert!(!experience.refused(start + TELL_EVERY * 5), "the same streak");
        assert!(experience.answered() && !experience.answered());
        assert!(experience.refused(start + TELL_EVERY * 5));
        assert!(experience.answered());
        assert!(!experience.refused(start + TELL_EVERY * 5 + SECOND), "told a second ago");
        assert!(!experience.answered(), "the log knows nothing of this streak");
    }
}
