//! What executors do, and what is done to them.

use super::flaw::Flaw;
use super::state::{Claim, End, Outcome, Process, Row, State, Work};
use super::{Act, Steps};

/// Every step that this executor can take.
pub(super) fn steps(state: &State, flaw: Option<Flaw>, me: usize, steps: &mut Steps) {
    accidents(state, me, steps);
    lease(state, flaw, me, steps);
    let executor = state.executors[me];
    if executor.process != Process::Up {
        return;
    }
    match executor.work {
        Work::Nothing if !executor.fenced => take(state, me, steps),
        Work::Nothing => {}
        Work::Popped => ask(state, flaw, me, state.fresh_token(), steps),
        Work::Asking(token) => ask(state, flaw, me, token, steps),
        Work::Granted(token) => granted(state, flaw, me, token, steps),
        Work::Running(token) => running(state, me, token, steps),
        Work::Reporting { token, outcome, written } => report(state, flaw, me, (token, outcome, written), steps),
    }
}

/// Deaths, pauses, cuts, and their ends.
fn accidents(state: &State, me: usize, steps: &mut Steps) {
    let executor = state.executors[me];
    if executor.process == Process::Up && executor.work != Work::Nothing {
        steps.fault(Act::Die, |s| {
            let executor = &mut s.executors[me];
            executor.process = Process::Dead;
            executor.drop_work();
        });
        steps.fault(Act::Pause, |s| s.executors[me].process = Process::Paused);
        if !executor.cut {
            steps.fault(Act::CutOff, |s| s.executors[me].cut = true);
        }
    }
    if executor.process == Process::Paused {
        steps.add(Act::Wake, |s| s.executors[me].process = Process::Up);
    }
    if executor.cut {
        steps.add(Act::Reconnect, |s| s.executors[me].cut = false);
    }
}

/// The session: its end by the executor's own clock, by the watcher's word, and the next one.
fn lease(state: &State, flaw: Option<Flaw>, me: usize, steps: &mut Steps) {
    let executor = state.executors[me];
    let up = executor.process == Process::Up;
    // Its own deadline passes only where renewals do not get through, or did not while it was paused.
    if up && !executor.fenced && (executor.cut || executor.overslept && executor.lost) {
        steps.add(Act::Fence, |s| fence(s, flaw, me));
    }
    // By the watcher's clock a lease ends later than by the executor's, which is late itself only when it was paused.
    let late = executor.process != Process::Up || (executor.cut && executor.fenced);
    if !executor.lost && late {
        steps.add(Act::DeclareLost, |s| {
            let executor = &mut s.executors[me];
            executor.lost = true;
            executor.overslept |= executor.process == Process::Paused && executor.work != Work::Nothing;
        });
    }
    if executor.talks() && executor.lost && !executor.fenced {
        steps.add(Act::Renew, |s| match flaw {
            Some(Flaw::RenewAfterExpiry) => (s.executors[me].lost, s.executors[me].overslept) = (false, false),
            _ => fence(s, flaw, me),
        });
    }
    let restarts = executor.process == Process::Dead;
    let idle = matches!(executor.work, Work::Nothing | Work::Reporting { .. });
    if restarts || (executor.talks() && executor.fenced && idle) {
        steps.add(Act::OpenSession, |s| {
            let executor = &mut s.executors[me];
            (executor.process, executor.lost, executor.fenced, executor.cut) = (Process::Up, false, false, false);
            if let Some(claim) = &mut s.claim
                && usize::from(claim.holder) == me
            {
                claim.current = false;
            }
        });
    }
}

/// Effects stop; what has a result already goes on trying to report it.
fn fence(state: &mut State, flaw: Option<Flaw>, me: usize) {
    let executor = &mut state.executors[me];
    executor.fenced = true;
    if flaw != Some(Flaw::FenceIgnored) && !matches!(executor.work, Work::Reporting { .. }) {
        executor.drop_work();
    }
}

fn take(state: &State, me: usize, steps: &mut Steps) {
    if state.redis_up && state.ready {
        steps.add(Act::Pop, |s| {
            s.ready = false;
            s.executors[me].work = Work::Popped;
        });
    }
    // Redis is not asked for permission.
    let due = state.row == Row::Due && state.claim.is_none();
    if !state.redis_up && due && state.executors[me].talks() {
        steps.add(Act::TakeDirectly, |s| s.executors[me].work = Work::Popped);
    }
}

fn ask(state: &State, flaw: Option<Flaw>, me: usize, token: u8, steps: &mut Steps) {
    if !state.executors[me].talks() {
        return;
    }
    steps.add(Act::Claim, |s| {
        let granted = claim(s, me, token);
        let executor = &mut s.executors[me];
        match granted {
            true => executor.work = Work::Granted(token),
            false => executor.drop_work(),
        }
        // No answers at all: the session is lost.
        if executor.lost {
            fence(s, flaw, me);
        }
    });
    steps.fault(Act::ClaimUnheard, |s| {
        claim(s, me, token);
        s.executors[me].work = match flaw {
            Some(Flaw::ClaimForgotten) => Work::Nothing,
            _ => Work::Asking(token),
        };
    });
}

/// One transaction: the session is looked at, the key taken, the row looked at, the key given back if it may not start.
fn claim(state: &mut State, me: usize, token: u8) -> bool {
    if state.executors[me].lost {
        return false;
    }
    let held = state.claim.get_or_insert(Claim {
        token,
        holder: u8::try_from(me).unwrap_or(u8::MAX),
        current: true,
        durable: false,
    });
    if held.token != token {
        return false;
    }
    if state.row != Row::Due {
        state.claim = None;
        return false;
    }
    true
}

fn granted(state: &State, flaw: Option<Flaw>, me: usize, token: u8, steps: &mut Steps) {
    if !state.executors[me].fenced {
        steps.add(Act::Start, |s| s.executors[me].work = Work::Running(token));
    }
    if state.executors[me].talks() {
        steps.fault(Act::HandBack, |s| {
            hand_back(s, flaw, token);
            s.executors[me].drop_work();
        });
    }
}

fn hand_back(state: &mut State, flaw: Option<Flaw>, token: u8) {
    if state.claim.is_none_or(|claim| claim.token != token) {
        return;
    }
    state.claim = None;
    if state.row == Row::Due {
        // A new turn of the populator, as for every row that is due and unclaimed.
        state.pushed = false;
        state.attempt += u8::from(flaw == Some(Flaw::HandBackSpends));
        if state.cancel_requested {
            state.end(End::Cancelled);
        }
    }
}

fn running(state: &State, me: usize, token: u8, steps: &mut Steps) {
    let mut ends = |act, outcome| {
        steps.add(act, |s| s.executors[me].work = Work::Reporting { token, outcome, written: false });
    };
    ends(Act::EndWell, Outcome::Well);
    ends(Act::EndBadly, Outcome::Badly);
    if state.cancel_requested && state.executors[me].talks() {
        ends(Act::Stop, Outcome::Stopped);
    }
}

fn report(state: &State, flaw: Option<Flaw>, me: usize, result: (u8, Outcome, bool), steps: &mut Steps) {
    if !state.executors[me].talks() {
        return;
    }
    let (token, outcome, written) = result;
    steps.add(Act::Complete, |s| {
        complete(s, flaw, result);
        s.executors[me].drop_work();
    });
    steps.fault(Act::CompleteUnheard, |s| {
        let accepted = complete(s, flaw, result);
        s.executors[me].work = Work::Reporting { token, outcome, written: written || accepted };
    });
}

/// One statement: the claim goes by its token, and the row with it. A result that was accepted before is acknowledged
/// again and changes nothing.
fn complete(state: &mut State, flaw: Option<Flaw>, (token, outcome, written): (u8, Outcome, bool)) -> bool {
    if written && flaw == Some(Flaw::ReplayRecorded) {
        let number = usize::from(state.attempt.max(1)).min(state.records.len() - 1);
        state.records[number] += 1;
    }
    let named = |claim: Claim| claim.token == token || flaw == Some(Flaw::CompleteWithoutToken);
    if !state.claim.is_some_and(named) || state.row != Row::Due {
        return false;
    }
    state.claim = None;
    match outcome {
        Outcome::Well => {
            state.record();
            state.end(End::Succeeded);
        }
        Outcome::Badly => {
            state.record();
            state.attempt += 1;
            state.row = Row::Failed;
        }
        Outcome::Stopped => {
            state.record();
            state.end(End::Cancelled);
        }
    }
    if state.row != Row::Failed {
        state.attempt += 1;
    }
    true
}
