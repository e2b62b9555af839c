//! What must hold in every state.

use super::state::{End, MAX_ATTEMPTS, MAX_CRASHES, Row, State, Work};

/// A promise and whether a state keeps it.
type Promise = (&'static str, fn(&State) -> bool);

/// The promise that is not kept in this state.
pub(super) fn broken(state: &State) -> Option<&'static str> {
    let promises: [Promise; 9] = [
        ("the job is somewhere", |s| s.row != Row::Nowhere),
        ("one accepted result per attempt", |s| s.records.iter().all(|records| *records <= 1)),
        ("terminal states never change", |s| s.ended.is_none_or(|end| s.row == Row::Ended(end))),
        ("a claim belongs to a job that is due", |s| s.claim.is_none() || s.row == Row::Due),
        ("effects are fenced", effects_are_fenced),
        ("attempts within limits", |s| s.attempt - s.crashes <= MAX_ATTEMPTS && s.crashes <= MAX_CRASHES + 1),
        ("no attempt without a record", |s| s.records.iter().sum::<u8>() == s.attempt),
        ("a dead letter has its alert", |s| s.row != Row::Ended(End::Dead) || s.alerted),
        ("one redrive lives at a time", |s| s.redrives_live <= 1),
    ];
    promises.into_iter().find(|(_, holds)| !holds(state)).map(|(promise, _)| promise)
}

/// At most one executor has effects, and none once a cancel was acknowledged as done; who was paused beyond its lease, or
/// lost its claim to a crash of the database, is beyond anybody's power.
fn effects_are_fenced(state: &State) -> bool {
    let has_effects = |executor: &&super::state::Executor| {
        matches!(executor.work, Work::Running(_)) && !executor.overslept && !executor.orphaned
    };
    let running = state.executors.iter().filter(has_effects).count();
    running <= usize::from(!state.cancel_told)
}
