//! Tests of the choice between merchants.
#![allow(clippy::unwrap_used)]

use super::*;
use std::time::Duration;
use uuid::Uuid;

const HOLD: Duration = Duration::from_secs(2);

fn at(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_800_000_000_000 + ms).unwrap()
}

fn merchant(n: u128) -> MerchantId {
    MerchantId(Uuid::from_u128(n))
}

fn unit(merchant_number: u128, queue: &str) -> DueUnit {
    let key = UnitKey { priority: 5, merchant: merchant(merchant_number), queue: queue.to_owned() };
    DueUnit { key, head: at(0), paused: false, caps: Vec::new() }
}

struct Bench {
    backlog: Backlog,
    state: LaneState,
    weights: WeightTable,
    next_job: u128,
}

impl Bench {
    fn new(units: Vec<DueUnit>) -> Self {
        Self {
            backlog: Backlog::new(units),
            state: LaneState::new(HOLD, 10),
            weights: WeightTable::default(),
            next_job: 0,
        }
    }

    /// Puts `count` jobs into a unit, which then is read to its end.
    fn rows(&mut self, unit: usize, count: usize) {
        for _ in 0..count {
            self.next_job += 1;
            let job = JobId(Uuid::from_u128(self.next_job));
            self.backlog.read(unit, at(self.next_job as i64), job, true);
        }
        self.backlog.finish(unit);
    }

    fn select(&mut self, any: usize, quiet: usize) -> Vec<Admitted> {
        self.backlog.select(5, Room { any, quiet }, &mut self.state, &self.weights, Instant::now())
    }

    /// How many of the chosen jobs belong to each merchant.
    fn shares(chosen: &[Admitted], merchants: std::ops::Range<u128>) -> Vec<usize> {
        merchants.map(|n| chosen.iter().filter(|job| job.member.merchant == merchant(n)).count()).collect()
    }
}

#[test]
fn merchants_take_turns_whatever_their_backlog() {
    let mut bench = Bench::new(vec![unit(1, "a"), unit(2, "a"), unit(3, "a")]);
    for (unit, count) in [(0, 500), (1, 100), (2, 1)] {
        bench.rows(unit, count);
    }
    let chosen = bench.select(31, 31);
    assert_eq!(Bench::shares(&chosen, 1..4), [15, 15, 1]);
    assert!(chosen[..3].iter().any(|job| job.member.merchant == merchant(3)), "it goes with the first");
}

#[test]
fn weights_are_shares_of_the_room() {
    let mut bench = Bench::new(vec![unit(1, "a"), unit(2, "a")]);
    bench.weights = WeightTable::new([(merchant(2), 3)].into());
    bench.rows(0, 500);
    bench.rows(1, 500);
    assert_eq!(Bench::shares(&bench.select(400, 400), 1..3), [100, 300]);
}

#[test]
fn queues_of_a_merchant_take_turns_and_each_keeps_its_due_order() {
    let mut bench = Bench::new(vec![unit(1, "a"), unit(1, "b")]);
    bench.rows(0, 10);
    bench.rows(1, 2);
    let jobs: Vec<u128> = bench.select(6, 6).iter().map(|job| job.member.job.0.as_u128()).collect();
    assert_eq!(jobs, [1, 11, 2, 12, 3, 4]);
}

#[test]
fn it_stops_at_whoever_has_to_be_read_first() {
    let mut bench = Bench::new(vec![unit(1, "a"), unit(2, "a")]);
    bench.rows(0, 10);
    assert_eq!(Bench::shares(&bench.select(10, 10), 1..3), [1, 0]);
    assert_eq!(bench.backlog.dry(5, &mut bench.state, false, 10), [1]);
    bench.rows(1, 1);
    assert_eq!(Bench::shares(&bench.select(10, 10), 1..3), [9, 1]);
    assert!(bench.backlog.is_exhausted());
}

#[test]
fn a_full_set_still_takes_the_first_job_of_the_quiet() {
    let mut bench = Bench::new(vec![unit(1, "a"), unit(2, "a")]);
    bench.rows(0, 100);
    assert_eq!(bench.select(0, 10).len(), 1, "it stops at the second, who was not read");
    assert_eq!(bench.backlog.dry(5, &mut bench.state, true, 10), [1], "the first is not quiet any more");
    bench.rows(1, 100);
    assert_eq!(Bench::shares(&bench.select(0, 10), 1..3), [0, 1]);
    assert_eq!(bench.backlog.backlogged().len(), 2);
}

#[test]
fn what_was_pushed_just_now_is_passed_over_and_uses_no_room() {
    let mut bench = Bench::new(vec![unit(1, "a")]);
    for job in 1..=3 {
        let member = Member { merchant: merchant(1), job: JobId(Uuid::from_u128(job)) };
        bench.state.recent.note(member, at(job as i64), 0.5, Instant::now());
    }
    bench.rows(0, 5);
    let jobs: Vec<u128> = bench.select(2, 2).iter().map(|job| job.member.job.0.as_u128()).collect();
    assert_eq!(jobs, [4, 5]);
}

#[test]
fn reading_goes_on_behind_the_last_row_kept_or_not() {
    let mut bench = Bench::new(vec![unit(1, "a")]);
    assert_eq!(bench.backlog.position(0).after, None);
    let job = JobId(Uuid::from_u128(9));
    bench.backlog.read(0, at(9), job, false);
    assert_eq!(bench.backlog.position(0).after, Some((at(9), job)));
    assert_eq!(bench.select(5, 5), []);
    bench.backlog.finish(0);
    assert!(bench.backlog.is_exhausted() && bench.backlog.backlogged().is_empty());
}

#[test]
fn no_more_is_kept_than_has_a_place_under_the_caps() {
    let cap = |name: &str, room| CapRoom { cap: name.to_owned(), room };
    let mut bench = Bench::new(vec![DueUnit { caps: vec![cap("queue:a", 3)], ..unit(1, "a") }]);
    let mut read = |n: u128, key: &str| {
        bench.backlog.read_capped(0, at(n as i64), JobId(Uuid::from_u128(n)), &[cap(key, 1)]);
    };
    for (n, key) in [(1, "key:a x"), (2, "key:a x"), (3, "key:a y"), (4, "key:a z"), (5, "key:a w")] {
        read(n, key);
    }
    assert!(bench.backlog.is_full(0) && bench.backlog.held_up(0).is_none());
    bench.backlog.finish(0);
    let jobs: Vec<u128> = bench.select(9, 9).iter().map(|job| job.member.job.0.as_u128()).collect();
    assert_eq!(jobs, [1, 3, 4], "the second waits for its key, the fifth for the queue");
}

#[test]
fn a_job_with_caps_may_be_pushed_again_soon_for_it_may_have_been_refused() {
    let cap = CapRoom { cap: "key:a x".to_owned(), room: 1 };
    let mut bench = Bench::new(vec![unit(1, "a")]);
    let (job, pushed) = (JobId(Uuid::from_u128(1)), Instant::now().checked_sub(CAPPED_HOLD).unwrap());
    bench.state.recent.note(Member { merchant: merchant(1), job }, at(1), 0.5, pushed);
    bench.backlog.read_capped(0, at(1), job, std::slice::from_ref(&cap));
    let chosen = bench.select(5, 5);
    assert_eq!((chosen.len(), chosen[0].new), (1, false), "with the tag that it had");
}

#[test]
fn a_sweep_does_not_pass_over_held_jobs_for_ever_and_the_next_goes_on_behind_them() {
    let full = CapRoom { cap: "key:a x".to_owned(), room: 0 };
    let mut bench = Bench::new(vec![unit(1, "a")]);
    for n in 1..=MAX_HELD as u128 {
        assert!(bench.backlog.held_up(0).is_none());
        bench.backlog.read_capped(0, at(n as i64), JobId(Uuid::from_u128(n)), std::slice::from_ref(&full));
    }
    let place = bench.backlog.held_up(0).unwrap();
    let mut next = Backlog::new([unit(1, "a")]);
    next.resume(&[(next.key(0).clone(), place)].into());
    assert_eq!(next.position(0).after, Some(place));
}
