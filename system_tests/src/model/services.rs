//! What populator, watchers and producers do, and what happens to the stores.

use super::flaw::Flaw;
use super::state::{End, MAX_ATTEMPTS, MAX_CRASHES, Row, State};
use super::{Act, Steps};

/// Every step of the services and the stores.
pub(super) fn steps(state: &State, flaw: Option<Flaw>, steps: &mut Steps) {
    populator(state, flaw, steps);
    reaper(state, flaw, steps);
    verdicts(state, flaw, steps);
    cancel(state, flaw, steps);
    redrive(state, flaw, steps);
    stores(state, steps);
}

fn stores(state: &State, steps: &mut Steps) {
    if state.redis_up {
        steps.fault(Act::LoseRedis, |s| (s.redis_up, s.ready) = (false, false));
    } else {
        steps.add(Act::RedisReturns, |s| s.redis_up = true);
    }
    let Some(claim) = state.claim.filter(|claim| !claim.durable) else { return };
    steps.add(Act::Flush, |s| {
        if let Some(claim) = &mut s.claim {
            claim.durable = true;
        }
    });
    steps.fault(Act::CrashDatabase, |s| {
        s.claim = None;
        for executor in &mut s.executors {
            executor.orphaned |= executor.work.token() == Some(claim.token);
        }
    });
}

fn populator(state: &State, flaw: Option<Flaw>, steps: &mut Steps) {
    let due = state.row == Row::Due && state.claim.is_none();
    let believes = flaw == Some(Flaw::QueuedFlag) && state.pushed;
    if due && state.redis_up && !state.ready && !believes {
        steps.add(Act::Push, |s| (s.ready, s.pushed) = (true, true));
    }
}

/// Reading and taking are two steps, and the world moves between them.
fn reaper(state: &State, flaw: Option<Flaw>, steps: &mut Steps) {
    if state.reaper_saw.is_none() && state.claim_is_lost() {
        steps.add(Act::FindLost, |s| s.reaper_saw = s.claim.map(|claim| claim.token));
    }
    let Some(token) = state.reaper_saw else { return };
    steps.add(Act::Reap, |s| {
        s.reaper_saw = None;
        let theirs = s.claim_is_lost() && s.claim.is_some_and(|claim| claim.token == token);
        if theirs || (flaw == Some(Flaw::ReapById) && s.claim.is_some()) {
            reap(s);
        }
    });
}

fn reap(state: &mut State) {
    state.claim = None;
    if state.row != Row::Due {
        return;
    }
    state.record();
    state.attempt += 1;
    state.crashes += 1;
    state.pushed = false;
    if state.cancel_requested {
        state.end(End::Cancelled);
    } else if state.crashes > MAX_CRASHES {
        bury(state, None);
    }
}

fn bury(state: &mut State, flaw: Option<Flaw>) {
    state.end(End::Dead);
    state.alerted = flaw != Some(Flaw::AlertApart);
}

fn verdicts(state: &State, flaw: Option<Flaw>, steps: &mut Steps) {
    if state.watcher_saw.is_none() && state.row == Row::Failed {
        steps.add(Act::FindFailed, |s| s.watcher_saw = Some(s.attempt));
    }
    let Some(attempt) = state.watcher_saw else { return };
    let act = match state {
        _ if state.cancel_requested => Act::CallOff,
        _ if state.attempt - state.crashes >= MAX_ATTEMPTS => Act::Bury,
        _ => Act::Retry,
    };
    steps.add(act, |s| {
        s.watcher_saw = None;
        let unchanged = s.row == Row::Failed && s.attempt == attempt;
        if !unchanged && flaw != Some(Flaw::VerdictUnguarded) {
            return;
        }
        if s.cancel_requested {
            s.end(End::Cancelled);
        } else if s.attempt - s.crashes >= MAX_ATTEMPTS {
            bury(s, flaw);
        } else {
            s.row = if flaw == Some(Flaw::RetryApart) { Row::Nowhere } else { Row::Due };
            s.pushed = false;
        }
    });
}

/// The producer asks once. Taking the key, looking and writing are one transaction.
fn cancel(state: &State, flaw: Option<Flaw>, steps: &mut Steps) {
    let live = matches!(state.row, Row::Due | Row::Failed);
    if flaw == Some(Flaw::CancelWithoutKey) {
        if !state.cancel_asked && live && state.claim.is_none() {
            steps.add(Act::Cancel, |s| (s.cancel_asked, s.cancel_looked) = (true, true));
        }
        if state.cancel_looked {
            steps.add(Act::Cancel, |s| {
                s.cancel_looked = false;
                if live {
                    s.end(End::Cancelled);
                    s.cancel_told = true;
                }
            });
        }
        return;
    }
    if state.cancel_asked || !live {
        return;
    }
    steps.add(Act::Cancel, |s| {
        s.cancel_asked = true;
        match &mut s.claim {
            None => {
                s.end(End::Cancelled);
                s.cancel_told = true;
            }
            // Committed to disk, and with it every claim before it.
            Some(claim) => (claim.durable, s.cancel_requested) = (true, true),
        }
    });
}

/// Two producers may ask at once. Redrives end as jobs do, which the rest of the model is about.
fn redrive(state: &State, flaw: Option<Flaw>, steps: &mut Steps) {
    if state.row != Row::Ended(End::Dead) {
        return;
    }
    if state.redrives_live == 0 && state.redrives_looking < 2 {
        steps.add(Act::FindUnredriven, |s| s.redrives_looking += 1);
    }
    if state.redrives_looking > 0 {
        steps.add(Act::Redrive, |s| {
            s.redrives_looking -= 1;
            // The unique index on what was redriven.
            if s.redrives_live == 0 || flaw == Some(Flaw::RedriveUnguarded) {
                s.redrives_live += 1;
            }
        });
    }
}
