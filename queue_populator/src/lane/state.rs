//! What a lane's populator remembers: tags, recent pushes, timers, depths. All of it can be lost; a sweep brings back
//! what matters.

use super::fair::FairOrder;
use super::recent::{Recent, Verdict};
use super::wheel::{Timed, Wheel};
use crate::weights::WeightTable;
use chrono::{DateTime, Utc};
use scheduler_core::domain::{JobId, MerchantId};
use scheduler_core::queue::{Member, PushOutcome};
use scheduler_core::store::due::UnitKey;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

/// Priorities are 0 to 9.
pub const PRIORITIES: usize = 10;

/// How many jobs may wait in Redis per priority.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The ordinary limit.
    pub depth: u64,
    /// What merchants that have nothing in the set may add to it, so that a set filled by others does not delay them.
    pub slack: u64,
}

impl Bounds {
    /// The limits that follow from `populator.depth_per_priority`.
    pub fn new(depth: usize) -> Self {
        let depth = u64::try_from(depth).unwrap_or(u64::MAX);
        Self { depth, slack: (depth / 4).max(64) }
    }

    /// Room for jobs of anybody, when `depth` wait.
    pub fn room(self, depth: u64) -> usize {
        usize::try_from(self.depth.saturating_sub(depth)).unwrap_or(usize::MAX)
    }

    /// Room for jobs of quiet merchants.
    pub fn quiet_room(self, depth: u64) -> usize {
        usize::try_from((self.depth + self.slack).saturating_sub(depth)).unwrap_or(usize::MAX)
    }

    /// Whether there is more in the set than any populator puts there: it was tampered with.
    pub fn is_absurd(self, depth: u64) -> bool {
        depth > 2 * (self.depth + self.slack) + 1_000
    }
}

/// A job on its way to Redis.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Admitted {
    /// Its score.
    pub tag: f64,
    /// Which job.
    pub member: Member,
    /// When it may start.
    pub run_at: DateTime<Utc>,
    /// It was not pushed before, as far as we know.
    pub new: bool,
}

/// Jobs of one priority on their way to Redis.
#[derive(Clone, PartialEq, Debug)]
pub struct Batch {
    /// 0 goes first, 9 last.
    pub priority: u8,
    /// The jobs; none: only ask for the depth.
    pub jobs: Vec<Admitted>,
}

impl Batch {
    /// A question about the depth.
    pub fn question(priority: u8) -> Self {
        Self { priority, jobs: Vec::new() }
    }
}

/// What became of some jobs that are due.
#[derive(Debug, Default)]
pub struct Admission {
    /// What to push.
    pub batches: Vec<Batch>,
    /// Some jobs had no room; a sweep has to come back to them.
    pub overflow: bool,
}

#[derive(Debug, Default)]
struct PriorityState {
    fair: FairOrder,
    depth: u64,
}

/// The memory of one lane.
#[derive(Debug)]
pub struct LaneState {
    priorities: [PriorityState; PRIORITIES],
    /// Pushes of the last moments.
    pub recent: Recent,
    /// Jobs of the near future.
    pub wheel: Wheel,
    /// Merchants with due jobs in PostgreSQL that the sweep has not come to: their hints have to queue up behind.
    backlogged: HashSet<(u8, MerchantId)>,
    /// Where sweeps stopped in units with too many jobs that have no place under their caps.
    held_up: HashMap<UnitKey, (DateTime<Utc>, JobId)>,
    /// The next sweep begins at those places and not at the front. They take turns, so that neither starves.
    resumes: bool,
}

impl LaneState {
    /// Nothing pushed, nothing known.
    pub fn new(hold: Duration, wheel_capacity: usize) -> Self {
        Self {
            priorities: Default::default(),
            recent: Recent::new(hold),
            wheel: Wheel::new(wheel_capacity),
            backlogged: HashSet::new(),
            held_up: HashMap::new(),
            resumes: false,
        }
    }

    /// The tags of a priority.
    pub fn fair(&mut self, priority: u8) -> &mut FairOrder {
        &mut self.priorities[usize::from(priority).min(PRIORITIES - 1)].fair
    }

    /// Members in the ready set of a priority, as last heard, and what is on its way.
    pub fn depth(&self, priority: u8) -> u64 {
        self.priorities[usize::from(priority).min(PRIORITIES - 1)].depth
    }

    /// Replaces what is known about backlogs.
    pub fn set_backlogged(&mut self, backlogged: HashSet<(u8, MerchantId)>) {
        self.backlogged = backlogged;
    }

    /// A sweep stopped here in a unit; `None`: it came to the unit's end.
    pub fn note_held_up(&mut self, unit: &UnitKey, place: Option<(DateTime<Utc>, JobId)>) {
        match place {
            Some(place) => drop(self.held_up.insert(unit.clone(), place)),
            None => drop(self.held_up.remove(unit)),
        }
    }

    /// Where the sweep that begins now goes on; every second one begins at the front.
    pub fn resume_places(&mut self) -> HashMap<UnitKey, (DateTime<Utc>, JobId)> {
        self.resumes = !self.resumes && !self.held_up.is_empty();
        if self.resumes { self.held_up.clone() } else { HashMap::new() }
    }

    /// Whether a sweep has yet to come to due jobs.
    pub fn has_backlog(&self) -> bool {
        !self.backlogged.is_empty()
    }

    /// Chooses what to push of jobs that a hint or a timer brought. What was pushed within `hold` is left out; so is what
    /// finds no room, or belongs behind a backlog.
    pub fn admit(
        &mut self,
        due: &[Timed],
        hold: Duration,
        bounds: Bounds,
        weights: &WeightTable,
        now: Instant,
    ) -> Admission {
        let mut batches: BTreeMap<u8, Vec<Admitted>> = BTreeMap::new();
        let mut overflow = false;
        for job in due {
            let merchant = job.member.merchant;
            let verdict = self.recent.judge(job.member, job.run_at, now, hold);
            let tag = match verdict {
                Verdict::TooSoon => continue,
                Verdict::Again(tag) => tag,
                Verdict::New if !self.has_room(job.priority, merchant, bounds) => {
                    overflow = true;
                    continue;
                }
                Verdict::New => self.assign(job.priority, merchant, weights),
            };
            self.recent.note(job.member, job.run_at, tag, now);
            let new = verdict == Verdict::New;
            let admitted = Admitted { tag, member: job.member, run_at: job.run_at, new };
            batches.entry(job.priority).or_default().push(admitted);
        }
        let batches = batches.into_iter().map(|(priority, jobs)| Batch { priority, jobs }).collect();
        Admission { batches, overflow }
    }

    fn has_room(&mut self, priority: u8, merchant: MerchantId, bounds: Bounds) -> bool {
        let depth = self.depth(priority);
        if self.backlogged.contains(&(priority, merchant)) {
            return false;
        }
        bounds.room(depth) > 0 || (self.fair(priority).is_quiet(merchant) && bounds.quiet_room(depth) > 0)
    }

    /// Gives a job its tag and counts it.
    pub fn assign(&mut self, priority: u8, merchant: MerchantId, weights: &WeightTable) -> f64 {
        let state = &mut self.priorities[usize::from(priority).min(PRIORITIES - 1)];
        state.depth += 1;
        state.fair.assign(merchant, weights.of(merchant))
    }

    /// Takes in what Redis said about a push. When it had lost its memory, so do we, except for what was just pushed.
    pub fn pushed(&mut self, batch: &Batch, outcome: &PushOutcome, now: Instant) {
        if outcome.memory_lost {
            self.recent.clear();
            for priority in &mut self.priorities {
                priority.fair.forget();
            }
            for job in &batch.jobs {
                self.recent.note(job.member, job.run_at, job.tag, now);
            }
        }
        let state = &mut self.priorities[usize::from(batch.priority).min(PRIORITIES - 1)];
        state.depth = outcome.depth;
        state.fair.observe(outcome.head);
    }

    /// A push failed, or nobody knows: the jobs may be pushed again.
    pub fn not_pushed(&mut self, batch: &Batch, now: Instant) {
        for job in &batch.jobs {
            self.recent.release(job.member, now);
        }
        let new = batch.jobs.iter().filter(|job| job.new).count();
        let state = &mut self.priorities[usize::from(batch.priority).min(PRIORITIES - 1)];
        state.depth = state.depth.saturating_sub(u64::try_from(new).unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use uuid::Uuid;

    const HOLD: Duration = Duration::from_secs(2);
    const BOUNDS: Bounds = Bounds { depth: 10, slack: 4 };

    fn job(merchant: u128, job: u128) -> Timed {
        let member = Member { merchant: MerchantId(Uuid::from_u128(merchant)), job: JobId(Uuid::from_u128(job)) };
        Timed { run_at: DateTime::from_timestamp(1_800_000_000, 0).unwrap(), priority: 5, member }
    }

    fn jobs(merchant: u128, ids: std::ops::Range<u128>) -> Vec<Timed> {
        ids.map(|id| job(merchant, id)).collect()
    }

    fn admit(state: &mut LaneState, due: &[Timed]) -> (usize, bool) {
        let admission = state.admit(due, HOLD, BOUNDS, &WeightTable::default(), Instant::now());
        (admission.batches.iter().map(|batch| batch.jobs.len()).sum(), admission.overflow)
    }

    fn outcome(depth: u64, head: Option<f64>) -> PushOutcome {
        PushOutcome { memory_lost: false, depth, head }
    }

    #[test]
    fn a_full_set_takes_only_a_little_more_and_only_from_the_quiet() {
        let mut state = LaneState::new(HOLD, 100);
        assert_eq!(admit(&mut state, &jobs(1, 0..12)), (10, true));
        assert_eq!(admit(&mut state, &jobs(1, 20..21)), (0, true));
        state.pushed(&Batch::question(5), &outcome(10, Some(0.0)), Instant::now());
        for merchant in 2..6 {
            assert_eq!(admit(&mut state, &[job(merchant, 100 + merchant)]), (1, false));
        }
        assert_eq!(admit(&mut state, &[job(7, 300)]), (0, true), "the slack is used up");
    }

    #[test]
    fn a_job_is_not_pushed_twice_in_a_row() {
        let mut state = LaneState::new(HOLD, 100);
        assert_eq!(admit(&mut state, &[job(1, 1), job(1, 1)]), (1, false));
        assert_eq!(admit(&mut state, &[job(1, 1)]), (0, false));
        let later = job(1, 1).run_at + chrono::TimeDelta::seconds(1);
        assert_eq!(admit(&mut state, &[Timed { run_at: later, ..job(1, 1) }]), (1, false), "a retry");
    }

    #[test]
    fn whoever_has_a_backlog_waits_for_the_sweep() {
        let mut state = LaneState::new(HOLD, 100);
        state.set_backlogged([(5, job(1, 1).member.merchant)].into());
        assert_eq!(admit(&mut state, &[job(1, 1), job(2, 2)]), (1, true));
        assert!(state.has_backlog());
    }

    #[test]
    fn a_failed_push_can_be_repeated_with_the_same_tag() {
        let (mut state, now) = (LaneState::new(HOLD, 100), Instant::now() + HOLD);
        let admission = state.admit(&jobs(1, 0..3), HOLD, BOUNDS, &WeightTable::default(), now);
        state.not_pushed(&admission.batches[0], now);
        assert_eq!(state.depth(5), 0);
        let again = state.admit(&jobs(1, 0..3), HOLD, BOUNDS, &WeightTable::default(), now);
        let tags = |admission: &Admission| admission.batches[0].jobs.iter().map(|j| j.tag).collect::<Vec<_>>();
        assert_eq!(tags(&again), tags(&admission));
    }

    #[test]
    fn when_redis_has_lost_its_memory_only_the_last_push_counts() {
        let mut state = LaneState::new(HOLD, 100);
        admit(&mut state, &jobs(1, 0..3));
        let batch =
            state.admit(&jobs(1, 3..4), HOLD, BOUNDS, &WeightTable::default(), Instant::now()).batches.remove(0);
        let lost = PushOutcome { memory_lost: true, depth: 1, head: Some(3.0) };
        state.pushed(&batch, &lost, Instant::now());
        assert_eq!(state.recent.len(), 1);
        assert_eq!(admit(&mut state, &jobs(1, 0..4)), (3, false));
    }

    #[test]
    fn far_too_much_in_a_set_is_recognised() {
        let bounds = Bounds::new(4096);
        assert!(!bounds.is_absurd(4096 + bounds.slack));
        assert!(bounds.is_absurd(1_000_000));
    }
}
