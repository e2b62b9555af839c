//! The timer wheel: jobs that will be due within the look-ahead, each once, by their moment.
//!
//! Deadlines are instants of the database's clock; the caller compares and waits. A binary heap does the work: a few
//! thousand timers at most, of which only the first matters.

use chrono::{DateTime, Utc};
use scheduler_core::queue::Member;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// A job and when it may start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Timed {
    /// When it may start.
    pub run_at: DateTime<Utc>,
    /// 0 goes first, 9 last.
    pub priority: u8,
    /// Which job.
    pub member: Member,
}

/// Jobs of the near future, bounded.
#[derive(Debug)]
pub struct Wheel {
    capacity: usize,
    /// What counts; an entry of the heap that differs is stale.
    timers: HashMap<Member, (DateTime<Utc>, u8)>,
    heap: BinaryHeap<Reverse<Timed>>,
}

impl Wheel {
    /// A wheel for up to `capacity` jobs.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, timers: HashMap::new(), heap: BinaryHeap::new() }
    }

    /// Sets a job's timer, or moves it when the job is there already. `false`: the wheel is full; a sweep will find the
    /// job when there is room, at the latest when it is due.
    pub fn set(&mut self, timed: Timed) -> bool {
        let timer = (timed.run_at, timed.priority);
        if self.timers.get(&timed.member) == Some(&timer) {
            return true;
        }
        if self.is_full() && !self.timers.contains_key(&timed.member) {
            return false;
        }
        self.timers.insert(timed.member, timer);
        self.heap.push(Reverse(timed));
        // A job that is moved again and again leaves stale entries behind.
        if self.heap.len() > 2 * self.capacity + 16 {
            self.heap.retain(|Reverse(entry)| is_current(&self.timers, entry));
        }
        true
    }

    /// Whether no further job is taken.
    pub fn is_full(&self) -> bool {
        self.timers.len() >= self.capacity
    }

    /// Jobs in the wheel.
    pub fn len(&self) -> usize {
        self.timers.len()
    }

    /// The first moment at which a job is due.
    pub fn next_due(&mut self) -> Option<DateTime<Utc>> {
        while let Some(Reverse(entry)) = self.heap.peek() {
            if is_current(&self.timers, entry) {
                return Some(entry.run_at);
            }
            self.heap.pop();
        }
        None
    }

    /// Takes out the jobs that are due by `until`, in due order, `max` at most.
    pub fn take_due(&mut self, until: DateTime<Utc>, max: usize) -> Vec<Timed> {
        let mut due = Vec::new();
        while due.len() < max && self.next_due().is_some_and(|at| at <= until) {
            if let Some(Reverse(entry)) = self.heap.pop() {
                self.timers.remove(&entry.member);
                due.push(entry);
            }
        }
        due
    }
}

fn is_current(timers: &HashMap<Member, (DateTime<Utc>, u8)>, entry: &Timed) -> bool {
    timers.get(&entry.member) == Some(&(entry.run_at, entry.priority))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use chrono::TimeDelta;
    use scheduler_core::domain::{JobId, MerchantId};
    use uuid::Uuid;

    fn at(ms: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::milliseconds(ms)
    }

    fn timed(job: u128, ms: i64) -> Timed {
        let member = Member { merchant: MerchantId(Uuid::nil()), job: JobId(Uuid::from_u128(job)) };
        Timed { run_at: at(ms), priority: 5, member }
    }

    #[test]
    fn jobs_come_out_at_their_moment_in_due_order() {
        let mut wheel = Wheel::new(10);
        for (job, ms) in [(1, 30), (2, 10), (3, 20), (4, 11)] {
            assert!(wheel.set(timed(job, ms)));
        }
        assert_eq!(wheel.next_due(), Some(at(10)));
        assert_eq!(wheel.take_due(at(9), 10), []);
        assert_eq!(wheel.take_due(at(20), 10), [timed(2, 10), timed(4, 11), timed(3, 20)]);
        assert_eq!((wheel.next_due(), wheel.len()), (Some(at(30)), 1));
        assert_eq!(wheel.take_due(at(1_000), 10), [timed(1, 30)]);
        assert_eq!((wheel.next_due(), wheel.len()), (None, 0));
    }

    #[test]
    fn a_job_is_there_once_and_its_last_time_counts() {
        let mut wheel = Wheel::new(10);
        for ms in [30, 30, 10, 40] {
            assert!(wheel.set(timed(1, ms)));
        }
        assert_eq!((wheel.len(), wheel.next_due()), (1, Some(at(40))));
        assert_eq!(wheel.take_due(at(100), 10), [timed(1, 40)]);
    }

    #[test]
    fn a_full_wheel_takes_nobody_new_but_moves_who_is_there() {
        let mut wheel = Wheel::new(2);
        assert!(wheel.set(timed(1, 10)) && wheel.set(timed(2, 20)));
        assert!(wheel.is_full() && !wheel.set(timed(3, 5)));
        assert!(wheel.set(timed(2, 1)));
        assert_eq!(wheel.next_due(), Some(at(1)));
    }

    #[test]
    fn what_is_taken_at_once_is_bounded() {
        let mut wheel = Wheel::new(10);
        for job in 0..10 {
            wheel.set(timed(job, 1));
        }
        assert_eq!(wheel.take_due(at(1), 4).len(), 4);
        assert_eq!(wheel.take_due(at(1), 100).len(), 6);
    }

    #[test]
    fn moving_a_job_for_ever_takes_no_memory() {
        let mut wheel = Wheel::new(4);
        for ms in 0..10_000 {
            wheel.set(timed(1, ms));
        }
        assert!(wheel.heap.len() <= 2 * 4 + 16, "{}", wheel.heap.len());
        assert_eq!(wheel.take_due(at(20_000), 10), [timed(1, 9_999)]);
    }
}
