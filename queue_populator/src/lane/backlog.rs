//! One sweep's view of the due jobs in PostgreSQL: units, how far each was read, and what was read but not pushed yet.
//!
//! Pure: rows go in, chosen jobs come out. Merchants take turns by their tags, a merchant's queues by rotation, the jobs
//! of a queue by due time.

use super::caps::Rooms;
use super::state::{Admitted, LaneState, PRIORITIES};
use crate::weights::WeightTable;
use chrono::{DateTime, Utc};
use scheduler_core::domain::{JobId, MerchantId};
use scheduler_core::queue::Member;
use scheduler_core::store::due::{CapRoom, DueUnit, UnitKey, UnitPosition};
use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use super::recent::Verdict;

/// Jobs in one push.
const MAX_BATCH: usize = 1_000;
/// Jobs without a place under their caps, or with others in their way, that one sweep passes over in a unit. The next sweep goes on behind them.
const MAX_HELD: usize = 2_000;
/// For how long a push of a job with caps holds it back: it may have been refused, and its place may be free by now.
const CAPPED_HOLD: Duration = Duration::from_millis(100);

/// A job that was read and is to be pushed.
#[derive(Clone, Copy, Debug)]
struct Row {
    run_at: DateTime<Utc>,
    job: JobId,
    capped: bool,
}

#[derive(Debug)]
struct Unit {
    key: UnitKey,
    after: Option<(DateTime<Utc>, JobId)>,
    rows: VecDeque<Row>,
    /// The caps of its queue and merchant.
    caps: Vec<CapRoom>,
    /// Jobs passed over because it was not their turn.
    held: usize,
    /// Nothing more to read in this sweep.
    done: bool,
}

#[derive(Debug)]
struct Merchant {
    id: MerchantId,
    units: Vec<usize>,
    /// Whose turn it is among its units.
    turn: usize,
}

/// What a merchant offers next.
enum Next {
    Job(Row),
    /// Nothing was read ahead, and there may be more to read.
    Dry,
    Finished,
}

/// The due jobs that a sweep has found and not pushed.
#[derive(Debug)]
pub struct Backlog {
    units: Vec<Unit>,
    merchants: [Vec<Merchant>; PRIORITIES],
    rooms: Rooms,
}

/// Room in a ready set.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// For anybody.
    pub any: usize,
    /// For merchants that have nothing in the set; at least as much.
    pub quiet: usize,
}

impl Backlog {
    /// Nothing of these units was read yet.
    pub fn new(units: impl IntoIterator<Item = DueUnit>) -> Self {
        let mut backlog = Self { units: Vec::new(), merchants: Default::default(), rooms: Rooms::default() };
        let mut places: HashMap<(u8, MerchantId), usize> = HashMap::new();
        for unit in units {
            let (priority, merchant) = (unit.key.priority, unit.key.merchant);
            let index = backlog.units.len();
            let unit =
                Unit { key: unit.key, after: None, rows: VecDeque::new(), caps: unit.caps, held: 0, done: false };
            backlog.units.push(unit);
            let merchants = &mut backlog.merchants[usize::from(priority).min(PRIORITIES - 1)];
            let place = *places.entry((priority, merchant)).or_insert_with(|| {
                merchants.push(Merchant { id: merchant, units: Vec::new(), turn: 0 });
                merchants.len() - 1
            });
            merchants[place].units.push(index);
        }
        backlog
    }

    /// Whether everything was read and handed out.
    pub fn is_exhausted(&self) -> bool {
        self.units.iter().all(|unit| unit.done && unit.rows.is_empty())
    }

    /// Priorities with something left, the first one first.
    pub fn priorities(&self) -> impl Iterator<Item = u8> + use<> {
        let left: Vec<u8> = (0..PRIORITIES).filter(|p| !self.merchants[*p].is_empty()).map(|p| p as u8).collect();
        left.into_iter()
    }

    /// Merchants with something left.
    pub fn backlogged(&self) -> HashSet<(u8, MerchantId)> {
        let left = self.units.iter().filter(|unit| !unit.done || !unit.rows.is_empty());
        left.map(|unit| (unit.key.priority, unit.key.merchant)).collect()
    }

    /// Up to `max` units to read next: those of the merchants whose turn comes first and that have nothing read ahead.
    /// With `quiet_only`, of merchants that have nothing in the ready set.
    pub fn dry(&self, priority: u8, state: &mut LaneState, quiet_only: bool, max: usize) -> Vec<usize> {
        let fair = state.fair(priority);
        let mut dry: Vec<(f64, usize)> = Vec::new();
        for merchant in &self.merchants[usize::from(priority).min(PRIORITIES - 1)] {
            if quiet_only && !fair.is_quiet(merchant.id) {
                continue;
            }
            let tag = fair.next_tag(merchant.id);
            let units =
                merchant.units.iter().filter(|unit| !self.units[**unit].done && self.units[**unit].rows.is_empty());
            dry.extend(units.map(|unit| (tag, *unit)));
        }
        dry.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        dry.into_iter().take(max).map(|(_, unit)| unit).collect()
    }

    /// Where to go on reading a unit.
    pub fn position(&self, unit: usize) -> UnitPosition<'_> {
        UnitPosition { key: &self.units[unit].key, after: self.units[unit].after }
    }

    /// The name of a unit.
    pub fn key(&self, unit: usize) -> &UnitKey {
        &self.units[unit].key
    }

    /// A job of a unit was read; `keep` it for pushing, or only go on behind it.
    pub fn read(&mut self, unit: usize, run_at: DateTime<Utc>, job: JobId, keep: bool) {
        let unit = &mut self.units[unit];
        unit.after = Some((run_at, job));
        if keep {
            let capped = !unit.caps.is_empty();
            unit.rows.push_back(Row { run_at, job, capped });
        }
    }

    /// The same of a job that is due and has others of its template in its way.
    pub fn pass_over(&mut self, unit: usize, run_at: DateTime<Utc>, job: JobId) {
        let unit = &mut self.units[unit];
        unit.after = Some((run_at, job));
        unit.held += 1;
    }

    /// The same of a job that is due and has caps, its own or its unit's: it is kept if there is a place under all of them.
    pub fn read_capped(&mut self, unit: usize, run_at: DateTime<Utc>, job: JobId, caps: &[CapRoom]) {
        let unit = &mut self.units[unit];
        unit.after = Some((run_at, job));
        if self.rooms.take(unit.key.merchant, unit.caps.iter().chain(caps)) {
            unit.rows.push_back(Row { run_at, job, capped: true });
        } else {
            unit.held += 1;
        }
    }

    /// Whether the unit has caps of its own.
    pub fn is_capped(&self, unit: usize) -> bool {
        !self.units[unit].caps.is_empty()
    }

    /// Whether reading on in this sweep is pointless: nothing of the unit has a place any more.
    pub fn is_full(&self, unit: usize) -> bool {
        let unit = &self.units[unit];
        self.rooms.any_full(unit.key.merchant, &unit.caps)
    }

    /// Where the next sweep should go on, when so many jobs were passed over that this one should not.
    pub fn held_up(&self, unit: usize) -> Option<(DateTime<Utc>, JobId)> {
        let unit = &self.units[unit];
        unit.after.filter(|_| unit.held >= MAX_HELD)
    }

    /// Begins each unit behind the place that was noted for it.
    pub fn resume(&mut self, places: &HashMap<UnitKey, (DateTime<Utc>, JobId)>) {
        for unit in &mut self.units {
            unit.after = places.get(&unit.key).copied();
        }
    }

    /// Nothing more is to be read of a unit.
    pub fn finish(&mut self, unit: usize) {
        self.units[unit].done = true;
    }

    /// Chooses what to push next of a priority, in fair order, as far as there is room. Stops where a merchant's turn
    /// has come of which nothing is read ahead: read, and ask again.
    pub fn select(
        &mut self,
        priority: u8,
        room: Room,
        state: &mut LaneState,
        weights: &WeightTable,
        now: Instant,
    ) -> Vec<Admitted> {
        let merchants = &mut self.merchants[usize::from(priority).min(PRIORITIES - 1)];
        let mut turns: BinaryHeap<Reverse<Turn>> = merchants
            .iter()
            .enumerate()
            .map(|(place, merchant)| Reverse(Turn { tag: state.fair(priority).next_tag(merchant.id), place }))
            .collect();
        let (mut chosen, mut new) = (Vec::new(), 0);
        let mut finished = false;
        while let Some(Reverse(Turn { place, .. })) = turns.pop() {
            let merchant = &mut merchants[place];
            let quiet = state.fair(priority).is_quiet(merchant.id);
            // The quiet ones come first, so whoever is not quiet ends the list.
            if chosen.len() >= MAX_BATCH || new >= if quiet { room.quiet } else { room.any } {
                break;
            }
            let Row { run_at, job, capped } = match merchant.next(&mut self.units) {
                Next::Job(row) => row,
                Next::Dry => break,
                Next::Finished => {
                    finished = true;
                    continue;
                }
            };
            let member = Member { merchant: merchant.id, job };
            let hold = if capped { CAPPED_HOLD.min(state.recent.hold()) } else { state.recent.hold() };
            let verdict = state.recent.judge(member, run_at, now, hold);
            let tag = match verdict {
                Verdict::TooSoon => None,
                Verdict::Again(tag) => Some(tag),
                Verdict::New => Some(state.assign(priority, merchant.id, weights)),
            };
            if let Some(tag) = tag {
                let is_new = verdict == Verdict::New;
                new += usize::from(is_new);
                state.recent.note(member, run_at, tag, now);
                chosen.push(Admitted { tag, member, run_at, new: is_new });
            }
            turns.push(Reverse(Turn { tag: state.fair(priority).next_tag(merchant.id), place }));
        }
        if finished {
            let units = &self.units;
            merchants.retain(|merchant| {
                merchant.units.iter().any(|unit| !units[*unit].done || !units[*unit].rows.is_empty())
            });
        }
        chosen
    }
}

impl Merchant {
    /// The next job, from the unit whose turn it is among those of which something is read ahead.
    fn next(&mut self, units: &mut [Unit]) -> Next {
        for step in 0..self.units.len() {
            let turn = (self.turn + step) % self.units.len();
            if let Some(row) = units[self.units[turn]].rows.pop_front() {
                self.turn = turn + 1;
                return Next::Job(row);
            }
        }
        let dry = self.units.iter().any(|unit| !units[*unit].done);
        if dry { Next::Dry } else { Next::Finished }
    }
}

/// A merchant's turn: by tag, then by place.
#[derive(Clone, Copy, Debug)]
struct Turn {
    tag: f64,
    place: usize,
}

impl Ord for Turn {
    fn cmp(&self, other: &Self) -> Ordering {
        self.tag.total_cmp(&other.tag).then(self.place.cmp(&other.place))
    }
}

impl PartialOrd for Turn {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Turn {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Turn {}

#[cfg(test)]
#[path = "backlog_tests.rs"]
mod tests;
