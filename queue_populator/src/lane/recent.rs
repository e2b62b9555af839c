//! What was pushed a moment ago, so that the next look at the rows does not push it again.
//!
//! An entry holds a job back for a short while only: then either the job has a claim and is not seen any more, or Redis
//! has lost it. A later push of the same job gets its old tag, so that waiting in Redis for long does not move
//! the merchant's other jobs back.

use chrono::{DateTime, Utc};
use scheduler_core::planted::planted;
use scheduler_core::queue::Member;
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// For how many holding times a tag is remembered.
const TAG_LIFE: u32 = 3;

/// What to do about a job that is due.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Verdict {
    /// Push it with a new tag.
    New,
    /// Push it once more with the tag that it had.
    Again(f64),
    /// It was pushed just now: leave it.
    TooSoon,
}

#[derive(Debug)]
struct Entry {
    run_at: DateTime<Utc>,
    pushed: Instant,
    tag: f64,
}

/// The pushes of the last moments. Time is an argument.
#[derive(Debug)]
pub struct Recent {
    hold: Duration,
    entries: HashMap<Member, Entry>,
    /// Pushes in the order of time; those that were followed by another of the same job are stale.
    order: VecDeque<(Instant, Member)>,
}

impl Recent {
    /// Holds a pushed job back for `hold`.
    pub fn new(hold: Duration) -> Self {
        Self { hold, entries: HashMap::new(), order: VecDeque::new() }
    }

    /// The usual holding time.
    pub fn hold(&self) -> Duration {
        self.hold
    }

    /// What to do about a job that is due at `run_at`, when pushes count as recent for `hold`. A job with another time
    /// than before is a new matter: a retry, or run-now.
    pub fn judge(&self, member: Member, run_at: DateTime<Utc>, now: Instant, hold: Duration) -> Verdict {
        match self.entries.get(&member) {
            Some(entry) if entry.run_at != run_at => Verdict::New,
            Some(_) if planted("queued_flag") => Verdict::TooSoon,
            Some(entry) if now.saturating_duration_since(entry.pushed) < hold => Verdict::TooSoon,
            Some(entry) => Verdict::Again(entry.tag),
            None => Verdict::New,
        }
    }

    /// Notes a push.
    pub fn note(&mut self, member: Member, run_at: DateTime<Utc>, tag: f64, now: Instant) {
        self.entries.insert(member, Entry { run_at, pushed: now, tag });
        self.order.push_back((now, member));
    }

    /// The push did not happen: do not hold the job back. It keeps its tag.
    pub fn release(&mut self, member: Member, now: Instant) {
        if let Some(entry) = self.entries.get_mut(&member) {
            entry.pushed = now.checked_sub(self.hold).unwrap_or(entry.pushed);
            self.order.push_back((entry.pushed, member));
        }
    }

    /// Redis holds nothing of this any more.
    pub fn clear(&mut self) {
        if planted("queued_flag") {
            return;
        }
        self.entries.clear();
        self.order.clear();
    }

    /// Forgets what is too old to matter.
    pub fn expire(&mut self, now: Instant) {
        let life = if planted("queued_flag") { Duration::MAX } else { self.hold * TAG_LIFE };
        while let Some((pushed, member)) = self.order.front().copied() {
            if now.saturating_duration_since(pushed) < life {
                break;
            }
            self.order.pop_front();
            if self.entries.get(&member).is_some_and(|entry| entry.pushed == pushed) {
                self.entries.remove(&member);
            }
        }
    }

    /// Jobs remembered.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use chrono::TimeDelta;
    use scheduler_core::domain::{JobId, MerchantId};
    use uuid::Uuid;

    const HOLD: Duration = Duration::from_secs(2);

    fn member(n: u128) -> Member {
        Member { merchant: MerchantId(Uuid::nil()), job: JobId(Uuid::from_u128(n)) }
    }

    fn at() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    #[test]
    fn a_push_holds_the_job_back_for_a_while_and_its_tag_stays() {
        let (mut recent, start) = (Recent::new(HOLD), Instant::now());
        let judge = |recent: &Recent, after| recent.judge(member(1), at(), start + after, HOLD);
        assert_eq!(judge(&recent, Duration::ZERO), Verdict::New);
        recent.note(member(1), at(), 7.0, start);
        assert_eq!(judge(&recent, HOLD - Duration::from_millis(1)), Verdict::TooSoon);
        assert_eq!(judge(&recent, HOLD), Verdict::Again(7.0));
        assert_eq!(recent.judge(member(2), at(), start, HOLD), Verdict::New);
    }

    #[test]
    fn another_time_is_another_matter() {
        let (mut recent, start) = (Recent::new(HOLD), Instant::now());
        recent.note(member(1), at(), 7.0, start);
        assert_eq!(recent.judge(member(1), at() + TimeDelta::microseconds(1), start, HOLD), Verdict::New);
    }

    #[test]
    fn entries_are_forgotten_after_their_life_counted_from_the_last_push() {
        let (mut recent, start) = (Recent::new(HOLD), Instant::now());
        recent.note(member(1), at(), 1.0, start);
        recent.note(member(2), at(), 2.0, start);
        recent.note(member(2), at(), 2.0, start + HOLD);
        recent.expire(start + HOLD * TAG_LIFE);
        assert_eq!(recent.judge(member(1), at(), start + HOLD * TAG_LIFE, HOLD), Verdict::New);
        assert_eq!(recent.judge(member(2), at(), start + HOLD * TAG_LIFE, HOLD), Verdict::Again(2.0));
        recent.expire(start + HOLD * (TAG_LIFE + 1));
        assert_eq!((recent.len(), recent.order.len()), (0, 0));
    }

    #[test]
    fn a_push_that_failed_holds_nothing_back() {
        let (mut recent, start) = (Recent::new(HOLD), Instant::now() + HOLD);
        recent.note(member(1), at(), 7.0, start);
        recent.release(member(1), start);
        assert_eq!(recent.judge(member(1), at(), start, HOLD), Verdict::Again(7.0));
        recent.expire(start + HOLD * TAG_LIFE);
        assert_eq!((recent.len(), recent.order.len()), (0, 0));
    }

    #[test]
    fn a_lost_memory_is_forgotten_at_once() {
        let (mut recent, start) = (Recent::new(HOLD), Instant::now());
        recent.note(member(1), at(), 7.0, start);
        recent.clear();
        assert_eq!(recent.judge(member(1), at(), start, HOLD), Verdict::New);
    }
}
