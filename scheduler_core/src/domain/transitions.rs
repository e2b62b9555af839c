//! The state machine as one table of values: code, diagram and exhaustive test all come from it.

use super::state::JobState::{self, *};
use std::fmt::Write as _;

/// What can happen to a job.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Event {
    /// Every parent ended the way the job waits for.
    DependenciesMet,
    /// A parent ended otherwise.
    DependencyFailed,
    /// An executor was granted the claim.
    Claim,
    /// The attempt succeeded.
    Succeed,
    /// The attempt failed or timed out.
    Fail,
    /// A draining executor gives back what it has not started.
    HandBack,
    /// The claim's session ended without a result.
    LeaseLost,
    /// Too many executors have died over the job.
    CrashedOut,
    /// The watcher grants another attempt.
    Retry,
    /// The watcher grants none.
    Exhaust,
    /// Somebody called the job off.
    Cancel,
    /// The start deadline passed.
    StartDeadline,
    /// An earlier job of the same template is still live as this one falls due.
    Overlap,
    /// A later job of the same template takes its place, by the overlap policy.
    Displace,
    /// Start at once instead of at `run_at`.
    RunNow,
}

impl Event {
    /// Every event.
    pub const ALL: [Self; 15] = [
        Self::DependenciesMet,
        Self::DependencyFailed,
        Self::Claim,
        Self::Succeed,
        Self::Fail,
        Self::HandBack,
        Self::LeaseLost,
        Self::CrashedOut,
        Self::Retry,
        Self::Exhaust,
        Self::Cancel,
        Self::StartDeadline,
        Self::Overlap,
        Self::Displace,
        Self::RunNow,
    ];
}

/// Who performs a transition.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Owner {
    /// `task_scheduler_api`
    Api,
    /// `queue_populator`
    Populator,
    /// `task_executor`
    Executor,
    /// `task_failure_watcher`
    Watcher,
}

/// One legal edge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Transition {
    /// State before.
    pub from: JobState,
    /// What happens.
    pub event: Event,
    /// State after.
    pub to: JobState,
    /// The service that performs it.
    pub owner: Owner,
    /// The function in `store::transitions` whose guarded statement it is, as `file::function`.
    pub function: &'static str,
}

const fn edge(from: JobState, event: Event, to: JobState, owner: Owner, function: &'static str) -> Transition {
    Transition { from, event, to, owner, function }
}

/// Every legal transition. What is not here does not happen.
pub const TRANSITIONS: &[Transition] = &[
    edge(Blocked, Event::DependenciesMet, Scheduled, Owner::Populator, "dependencies::unblock"),
    edge(Blocked, Event::DependencyFailed, Skipped, Owner::Populator, "dependencies::skip"),
    edge(Blocked, Event::Cancel, Cancelled, Owner::Api, "cancel::cancel"),
    edge(Scheduled, Event::Claim, Running, Owner::Executor, "claim::claim"),
    edge(Scheduled, Event::Cancel, Cancelled, Owner::Api, "cancel::cancel"),
    edge(Scheduled, Event::StartDeadline, Expired, Owner::Watcher, "expire::expire_overdue"),
    // The deadline finds a job that was called off: the cancel was acknowledged first.
    edge(Scheduled, Event::StartDeadline, Cancelled, Owner::Watcher, "expire::expire_overdue"),
    edge(Scheduled, Event::Overlap, Skipped, Owner::Populator, "overlap::skip"),
    edge(Scheduled, Event::Displace, Skipped, Owner::Populator, "overlap::displace"),
    edge(Scheduled, Event::RunNow, Scheduled, Owner::Api, "run_now::run_now"),
    edge(Running, Event::Succeed, Succeeded, Owner::Executor, "results::succeed"),
    edge(Running, Event::Fail, Failed, Owner::Executor, "results::fail"),
    edge(Running, Event::Cancel, Cancelled, Owner::Executor, "results::confirm_cancel"),
    // A hand-back leaves the live row as it was before the claim.
    edge(Running, Event::HandBack, Scheduled, Owner::Executor, "hand_back::hand_back"),
    edge(Running, Event::HandBack, Retrying, Owner::Executor, "hand_back::hand_back"),
    // Unless it was called off meanwhile.
    edge(Running, Event::HandBack, Cancelled, Owner::Executor, "hand_back::hand_back"),
    edge(Running, Event::LeaseLost, Retrying, Owner::Watcher, "reap::reap"),
    // Lost with a cancel under way: nobody is left to confirm it but the watcher.
    edge(Running, Event::LeaseLost, Cancelled, Owner::Watcher, "reap::reap"),
    edge(Running, Event::CrashedOut, Dead, Owner::Watcher, "reap::reap"),
    edge(Failed, Event::Retry, Retrying, Owner::Watcher, "verdict::retry"),
    edge(Failed, Event::Exhaust, Dead, Owner::Watcher, "verdict::bury"),
    edge(Failed, Event::Cancel, Cancelled, Owner::Api, "cancel::cancel"),
    // Called off while it ran, and then the attempt failed.
    edge(Failed, Event::Cancel, Cancelled, Owner::Watcher, "verdict::call_off"),
    edge(Failed, Event::Displace, Cancelled, Owner::Populator, "overlap::displace"),
    edge(Retrying, Event::Claim, Running, Owner::Executor, "claim::claim"),
    edge(Retrying, Event::Cancel, Cancelled, Owner::Api, "cancel::cancel"),
    edge(Retrying, Event::StartDeadline, Expired, Owner::Watcher, "expire::expire_overdue"),
    edge(Retrying, Event::StartDeadline, Cancelled, Owner::Watcher, "expire::expire_overdue"),
    edge(Retrying, Event::Displace, Cancelled, Owner::Populator, "overlap::displace"),
    edge(Retrying, Event::RunNow, Retrying, Owner::Api, "run_now::run_now"),
];

/// The legal outcomes of `event` in `from`; empty when it may not happen there.
pub fn outcomes(from: JobState, event: Event) -> impl Iterator<Item = &'static Transition> {
    TRANSITIONS.iter().filter(move |edge| edge.from == from && edge.event == event)
}

/// Whether some event leads from one state to the other.
pub fn is_legal(from: JobState, to: JobState) -> bool {
    TRANSITIONS.iter().any(|edge| edge.from == from && edge.to == to)
}

/// The state diagram of `docs/states.md`, as a Mermaid block.
pub fn diagram() -> String {
    let mut out = String::from("```mermaid\nstateDiagram-v2\n");
    for edge in TRANSITIONS.iter().filter(|edge| edge.from != edge.to) {
        let _ = writeln!(out, "    {} --> {}: {:?} ({:?})", edge.from, edge.to, edge.event, edge.owner);
    }
    for state in JobState::TERMINAL {
        let _ = writeln!(out, "    {state} --> [*]");
    }
    out.push_str("```\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_a_terminal_state() {
        assert!(TRANSITIONS.iter().all(|edge| !edge.from.is_terminal()));
    }

    #[test]
    fn every_state_but_the_first_ones_is_reached_and_every_event_is_used() {
        for state in JobState::ALL {
            assert!(TRANSITIONS.iter().any(|edge| edge.to == state) || state == Blocked, "{state} is never reached");
        }
        for event in Event::ALL {
            assert!(TRANSITIONS.iter().any(|edge| edge.event == event), "{event:?} never happens");
        }
    }

    #[test]
    fn no_edge_is_listed_twice() {
        for (i, a) in TRANSITIONS.iter().enumerate() {
            let same = |b: &Transition| (a.from, a.event, a.to, a.owner) == (b.from, b.event, b.to, b.owner);
            assert!(!TRANSITIONS[i + 1..].iter().any(same), "{a:?}");
        }
    }
}
