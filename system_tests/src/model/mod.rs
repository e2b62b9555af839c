//! A small model of the claim protocol, every state of which is visited: push, pop, claim, run, renew, fence, reap,
//! complete, decide, cancel, redrive, with deaths, pauses, cuts, lost answers, lost Redis and crashes of the database.
//! `docs/model.md` maps its actions to the functions that do them.
//!
//! One job and two executors. A bounded number of faults may happen, at any moment. Two kinds of promise are checked:
//! what must hold in every state, and that from every state the job can still come to its end without further faults.

mod act;
mod executor;
mod explore;
mod flaw;
mod page;
mod promises;
mod services;
mod state;
#[cfg(test)]
mod tests;

pub use act::{Act, Info};
pub use explore::{Explored, explore};
pub use flaw::Flaw;
pub use page::page;

use state::{EXECUTORS, State};

/// Faults that may happen in one history, unless told otherwise.
pub const FAULTS: u8 = 2;

/// The protocol, or one of its wrong variants.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    /// What is done wrong.
    pub flaw: Option<Flaw>,
    /// Faults that may happen in one history.
    pub faults: u8,
}

impl Model {
    /// The protocol as it is.
    pub const fn right() -> Self {
        Self { flaw: None, faults: FAULTS }
    }

    /// The protocol as it is, with one accident more: a million states.
    pub const fn thorough() -> Self {
        Self { flaw: None, faults: FAULTS + 1 }
    }
}

/// What comes of a wrong variant, with as few accidents as show it.
pub fn expose(flaw: Flaw) -> Explored {
    let with = |faults| explore(&Model { flaw: Some(flaw), faults });
    (0..FAULTS).map(with).find(|explored| explored.violation.is_some()).unwrap_or_else(|| with(FAULTS))
}

/// Collects what may follow a state.
struct Steps {
    from: State,
    found: Vec<(Act, State)>,
}

impl Steps {
    /// Everything that may follow.
    fn after(state: &State, flaw: Option<Flaw>) -> Vec<(Act, State)> {
        let mut steps = Self { from: *state, found: Vec::with_capacity(16) };
        services::steps(state, flaw, &mut steps);
        for number in 0..EXECUTORS {
            executor::steps(state, flaw, number, &mut steps);
        }
        steps.found
    }

    /// Something that somebody does.
    fn add(&mut self, act: Act, change: impl FnOnce(&mut State)) {
        let mut next = self.from;
        change(&mut next);
        self.found.push((act, next.canonical()));
    }

    /// Something that happens to somebody, while there are faults left.
    fn fault(&mut self, act: Act, change: impl FnOnce(&mut State)) {
        if self.from.faults > 0 {
            self.add(act, |state| {
                state.faults -= 1;
                change(state);
            });
        }
    }
}
