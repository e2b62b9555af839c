//! A small model of the claim protocol, every state of which is visited: claim, renew, reap, complete, hand back, Redis
//! losing its memory, death and pause of executors, redrive. `docs/model.md` maps its actions to the functions that do
//! them.
//!
//! One job, two executors with at most two sessions each. Results travel: an executor that has ended an attempt may
//! report it at any later time, twice, and after its session was lost.

use std::collections::{HashSet, VecDeque};
use std::fmt;

/// Executors.
const EXECUTORS: usize = 2;
/// Bounds of the state space.
const MOST_SESSIONS: u8 = 2;
/// Claims that are granted; more would only repeat what was seen.
const MOST_TOKENS: u8 = 5;
const MOST_FAILURES: u8 = 2;

/// Where the job's row is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Row {
    /// Scheduled or retrying.
    Due,
    /// An attempt failed and nobody has decided yet.
    Failed,
    /// Finished: well, or as a dead letter.
    Succeeded,
    Dead,
}

/// What an executor does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Doing {
    Nothing,
    /// An id that came from Redis or the fallback.
    Holding,
    /// An attempt under this token.
    Running(u8),
    /// Its result waits to be written, and may be written again.
    Reporting {
        token: u8,
        well: bool,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Executor {
    doing: Doing,
    /// Number of its session; each belongs to it alone.
    session: u8,
    /// The session is lost in the database.
    lost: bool,
    /// The executor knows that its lease is over: its own clock says so before the database does.
    fenced: bool,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct State {
    row: Row,
    /// Token and executor of the claim.
    claim: Option<(u8, u8)>,
    failures: u8,
    /// The id is in the ready set.
    queued: bool,
    /// It has been there.
    pushed: bool,
    executors: [Executor; EXECUTORS],
    next_token: u8,
    /// Tokens whose result was accepted.
    accepted: u8,
    /// How many results were accepted in all.
    acceptances: u8,
    /// A redrive has made a new job.
    redriven: bool,
}

/// The protocol, or one of its wrong variants.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    /// A result must carry the claim's token.
    pub token_checked: bool,
    /// Only claims of lost sessions are taken back.
    pub session_checked: bool,
    /// The sweep looks at rows, not at what was pushed.
    pub sweeps: bool,
    /// An executor stops at its own deadline, before its session can be declared lost.
    pub fences: bool,
}

impl Model {
    /// The protocol as it is.
    pub const fn right() -> Self {
        Self { token_checked: true, session_checked: true, sweeps: true, fences: true }
    }
}

/// What the exploration found.
#[derive(Clone, Debug)]
pub struct Explored {
    /// Different states.
    pub states: usize,
    /// Steps between them.
    pub steps: usize,
    /// The first state that breaks a promise: which, and the actions that lead there.
    pub violation: Option<(&'static str, Vec<&'static str>)>,
}

impl fmt::Display for Explored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} states, {} steps, ", self.states, self.steps)?;
        match &self.violation {
            None => write!(f, "no promise broken"),
            Some((promise, way)) => write!(f, "broken: {promise}, by {}", way.join(" → ")),
        }
    }
}

/// Visits every state, breadth first, so that the way to a violation is the shortest.
pub fn explore(model: &Model) -> Explored {
    let start = State::start();
    let mut seen = HashSet::from([start.clone()]);
    let mut open = VecDeque::from([0_usize]);
    // State, the state before it, the action between them.
    let mut states: Vec<(State, usize, &'static str)> = vec![(start, 0, "")];
    let mut steps = 0;
    while let Some(index) = open.pop_front() {
        let state = states[index].0.clone();
        let nexts = state.nexts(model);
        let broken = state.broken().or((nexts.is_empty() && !state.has_ended()).then_some("alive"));
        if let Some(promise) = broken {
            return Explored { states: seen.len(), steps, violation: Some((promise, way(&states, index))) };
        }
        for (action, next) in nexts {
            steps += 1;
            if seen.insert(next.clone()) {
                states.push((next, index, action));
                open.push_back(states.len() - 1);
            }
        }
    }
    Explored { states: seen.len(), steps, violation: None }
}

fn way(states: &[(State, usize, &'static str)], mut index: usize) -> Vec<&'static str> {
    let mut way = Vec::new();
    while index != 0 {
        way.push(states[index].2);
        index = states[index].1;
    }
    way.reverse();
    way
}

impl State {
    fn start() -> Self {
        let executor = Executor { doing: Doing::Nothing, session: 0, lost: false, fenced: false };
        Self {
            row: Row::Due,
            claim: None,
            failures: 0,
            queued: false,
            pushed: false,
            executors: [executor; EXECUTORS],
            next_token: 0,
            accepted: 0,
            acceptances: 0,
            redriven: false,
        }
    }

    fn has_ended(&self) -> bool {
        matches!(self.row, Row::Succeeded | Row::Dead) && self.claim.is_none()
    }

    /// The promise that this state breaks.
    fn broken(&self) -> Option<&'static str> {
        let running = self.executors.iter().filter(|e| matches!(e.doing, Doing::Running(_)) && !e.fenced).count();
        if self.acceptances != self.accepted.count_ones() as u8 {
            return Some("single acceptance");
        }
        if running > 1 {
            return Some("effects fenced");
        }
        if self.has_ended_with_claim() {
            return Some("no claim without a live row");
        }
        (self.failures > MOST_FAILURES).then_some("attempts within limits")
    }

    fn has_ended_with_claim(&self) -> bool {
        matches!(self.row, Row::Succeeded | Row::Dead | Row::Failed) && self.claim.is_some()
    }

    fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut next = self.clone();
        change(&mut next);
        next
    }

    /// Every action that is possible, and what it leads to.
    fn nexts(&self, model: &Model) -> Vec<(&'static str, Self)> {
        let mut nexts = Vec::new();
        self.scheduler(model, &mut nexts);
        for number in 0..EXECUTORS {
            self.executor(model, number, &mut nexts);
        }
        nexts
    }

    /// What populator, watcher, Redis and producers do.
    fn scheduler(&self, model: &Model, nexts: &mut Vec<(&'static str, Self)>) {
        let unclaimed_and_due = self.row == Row::Due && self.claim.is_none();
        // Without a sweep only the first push happens.
        if unclaimed_and_due && !self.queued && (model.sweeps || !self.pushed) {
            let pushed = self.with(|s| {
                s.queued = true;
                s.pushed = true;
            });
            nexts.push(("push", pushed));
        }
        if self.queued {
            nexts.push(("lose_redis", self.with(|s| s.queued = false)));
        }
        if self.row == Row::Failed {
            let last = self.failures >= MOST_FAILURES;
            let row = if last { Row::Dead } else { Row::Due };
            nexts.push((if last { "bury" } else { "retry" }, self.with(|s| s.row = row)));
        }
        if self.row == Row::Dead && !self.redriven {
            nexts.push(("redrive", self.with(|s| s.redriven = true)));
        }
        if let Some((_, holder)) = self.claim {
            let lost = self.executors[holder as usize / 16].session != holder % 16
                || self.executors[holder as usize / 16].lost;
            if lost || !model.session_checked {
                nexts.push(("reap", self.with(|s| s.claim = None)));
            }
        }
    }

    fn executor(&self, model: &Model, number: usize, nexts: &mut Vec<(&'static str, Self)>) {
        let me = self.executors[number];
        let dies = me.session < MOST_SESSIONS;
        let with_me = |change: &dyn Fn(&mut Executor)| self.with(|s| change(&mut s.executors[number]));
        // Its own clock first, where it fences itself; then the watcher's verdict; then a new session.
        if !me.fenced && me.session < MOST_SESSIONS {
            nexts.push(("fence", with_me(&|e| e.fenced = true)));
        }
        if !me.lost && (me.fenced || (!model.fences && me.session < MOST_SESSIONS)) {
            nexts.push(("declare_lost", with_me(&|e| e.lost = true)));
        }
        if me.fenced && me.lost && !matches!(me.doing, Doing::Reporting { .. }) {
            nexts.push((
                "open_session",
                with_me(&|e| {
                    *e = Executor { doing: Doing::Nothing, session: e.session + 1, lost: false, fenced: false }
                }),
            ));
        }
        match me.doing {
            Doing::Nothing if !me.fenced => {
                if self.queued {
                    nexts.push((
                        "pop",
                        self.with(|s| {
                            s.queued = false;
                            s.executors[number].doing = Doing::Holding;
                        }),
                    ));
                }
            }
            Doing::Holding => {
                nexts.push(("claim", self.claimed(number)));
            }
            Doing::Running(token) => {
                for well in [true, false] {
                    nexts.push(("end", with_me(&|e| e.doing = Doing::Reporting { token, well })));
                }
                if !me.fenced {
                    nexts.push(("hand_back", self.handed_back(number, token)));
                }
            }
            Doing::Reporting { token, well } => {
                nexts.push(("complete", self.completed(model, number, token, well)));
                let mut gone = self.completed(model, number, token, well);
                // The answer was lost: it will be sent again.
                gone.executors[number].doing = me.doing;
                nexts.push(("complete_unheard", gone));
            }
            Doing::Nothing => {}
        }
        if dies && me.doing != Doing::Nothing {
            let dead = |e: &mut Executor| (e.doing, e.fenced) = (Doing::Nothing, true);
            nexts.push(("die", with_me(&dead)));
        }
    }

    fn claimed(&self, number: usize) -> Self {
        self.with(|s| {
            let me = &mut s.executors[number];
            let granted = s.row == Row::Due && s.claim.is_none() && !me.lost && s.next_token < MOST_TOKENS;
            if granted {
                let token = s.next_token;
                s.next_token += 1;
                s.claim = Some((token, (number * 16) as u8 + me.session));
                me.doing = if me.fenced { Doing::Nothing } else { Doing::Running(token) };
            } else {
                me.doing = Doing::Nothing;
            }
        })
    }

    fn handed_back(&self, number: usize, token: u8) -> Self {
        self.with(|s| {
            if s.claim.is_some_and(|(held, _)| held == token) {
                s.claim = None;
            }
            s.executors[number].doing = Doing::Nothing;
        })
    }

    fn completed(&self, model: &Model, number: usize, token: u8, well: bool) -> Self {
        self.with(|s| {
            let matches = s.claim.is_some_and(|(held, _)| held == token || !model.token_checked);
            if matches && s.row == Row::Due {
                s.claim = None;
                s.failures += u8::from(!well);
                s.row = if well { Row::Succeeded } else { Row::Failed };
                s.acceptances += 1;
                s.accepted |= 1 << token;
            }
            s.executors[number].doing = Doing::Nothing;
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(model: Model) -> Option<&'static str> {
        explore(&model).violation.map(|(promise, _)| promise)
    }

    #[test]
    fn the_protocol_keeps_its_promises_in_every_state() {
        let explored = explore(&Model::right());
        assert!(explored.violation.is_none(), "{explored}");
        assert!(explored.states > 1_000, "{explored}");
    }

    #[test]
    fn its_wrong_variants_are_found() {
        assert_eq!(broken(Model { fences: false, ..Model::right() }), Some("effects fenced"));
        assert_eq!(broken(Model { session_checked: false, ..Model::right() }), Some("effects fenced"));
        assert_eq!(broken(Model { sweeps: false, ..Model::right() }), Some("alive"));
        assert!(broken(Model { token_checked: false, ..Model::right() }).is_some());
    }
}
