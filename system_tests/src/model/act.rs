//! The actions of the model, and where the code does them.

/// One thing that happens; [`Info`] says what.
#[expect(missing_docs, reason = "the table below describes them")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Act {
    Push,
    Pop,
    TakeDirectly,
    Claim,
    ClaimUnheard,
    Start,
    EndWell,
    EndBadly,
    Stop,
    Complete,
    CompleteUnheard,
    HandBack,
    Renew,
    Fence,
    OpenSession,
    DeclareLost,
    FindLost,
    Reap,
    FindFailed,
    Retry,
    Bury,
    CallOff,
    Cancel,
    FindUnredriven,
    Redrive,
    Flush,
    RedisReturns,
    Reconnect,
    Wake,
    Die,
    Pause,
    CutOff,
    LoseRedis,
    CrashDatabase,
}

/// What the page says about an action.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// The action.
    pub act: Act,
    /// Its name.
    pub name: &'static str,
    /// Whether it is an accident, of which there are so many and no more.
    pub is_fault: bool,
    /// `file::function` that does it; none for what the world does.
    pub code: Option<&'static str>,
    /// What it stands for.
    pub says: &'static str,
}

impl Act {
    /// Its name.
    pub fn name(self) -> &'static str {
        ACTS.iter().find(|info| info.act == self).map_or("?", |info| info.name)
    }

    /// Whether the job may count on it: no accident, and no producer who happens to call the job off.
    pub fn helps(self) -> bool {
        self != Self::Cancel && ACTS.iter().any(|info| info.act == self && !info.is_fault)
    }
}

const fn does(act: Act, name: &'static str, code: &'static str, says: &'static str) -> Info {
    Info { act, name, is_fault: false, code: Some(code), says }
}

const fn goes_wrong(act: Act, name: &'static str, code: &'static str, says: &'static str) -> Info {
    Info { act, name, is_fault: true, code: Some(code), says }
}

const fn happens(act: Act, name: &'static str, is_fault: bool, says: &'static str) -> Info {
    Info { act, name, is_fault, code: None, says }
}

/// Every action.
pub(super) const ACTS: [Info; 34] = [
    does(
        Act::Push,
        "push",
        "scheduler_core/src/queue/ready.rs::push",
        "the sweep finds the row due and unclaimed and pushes its id, whatever was pushed before",
    ),
    does(
        Act::Pop,
        "pop",
        "scheduler_core/src/queue/ready.rs::pop",
        "an executor takes the id out of Redis; it may die with it",
    ),
    does(
        Act::TakeDirectly,
        "take directly",
        "scheduler_core/src/store/transitions/claim.rs::due_candidates",
        "Redis is away: the executor asks the database for ids",
    ),
    does(
        Act::Claim,
        "claim",
        "scheduler_core/src/store/transitions/claim.rs::claim",
        "session looked at, key taken, row looked at, key given back if it may not start; asked again, with the same token, until answered",
    ),
    goes_wrong(
        Act::ClaimUnheard,
        "claim, unheard",
        "task_executor/src/claiming.rs::claim",
        "the claim is carried out and the answer lost",
    ),
    does(Act::Start, "start", "task_executor/src/runner.rs::execute", "effects begin"),
    does(Act::EndWell, "end well", "task_executor/src/runner.rs::run_target", "the target answered as hoped"),
    does(Act::EndBadly, "end badly", "task_executor/src/runner.rs::run_target", "the target failed or took too long"),
    does(Act::Stop, "stop", "task_executor/src/running.rs::cancel", "the executor ends an attempt that was called off"),
    does(
        Act::Complete,
        "complete",
        "scheduler_core/src/store/transitions/results.rs::record_results",
        "the claim goes by its token and the row with it; what does not match is stale, or was accepted before",
    ),
    goes_wrong(
        Act::CompleteUnheard,
        "complete, unheard",
        "task_executor/src/reporter.rs::flush",
        "the result is accepted and the answer lost: it will be sent again",
    ),
    goes_wrong(
        Act::HandBack,
        "hand back",
        "scheduler_core/src/store/transitions/hand_back.rs::hand_back",
        "SIGTERM: a claim that was not started goes back, at no attempt's cost",
    ),
    does(
        Act::Renew,
        "renew",
        "scheduler_core/src/store/sessions.rs::renew_session",
        "the renewal touches no row: the executor learns that its session is lost",
    ),
    does(
        Act::Fence,
        "fence",
        "task_executor/src/session.rs::deadline",
        "the executor's own deadline passes: effects stop, before the database calls the session lost",
    ),
    does(
        Act::OpenSession,
        "open session",
        "scheduler_core/src/store/sessions.rs::open_session",
        "a new session, of the same process or of the next",
    ),
    does(
        Act::DeclareLost,
        "declare lost",
        "scheduler_core/src/store/transitions/reap.rs::declare_lost",
        "a watcher finds the session unrenewed for too long; final",
    ),
    does(
        Act::FindLost,
        "find lost",
        "scheduler_core/src/store/transitions/reap.rs::lost_claims",
        "a reaper reads a claim whose session is lost or missing",
    ),
    does(
        Act::Reap,
        "reap",
        "scheduler_core/src/store/transitions/reap.rs::reap",
        "it takes that claim, by its token and if it is still lost; the attempt is recorded as lost",
    ),
    does(
        Act::FindFailed,
        "find failed",
        "scheduler_core/src/store/transitions/verdict.rs::failed_jobs",
        "a watcher reads a failure",
    ),
    does(
        Act::Retry,
        "retry",
        "scheduler_core/src/store/transitions/verdict.rs::retry",
        "if the row still says that this attempt failed, it is due again",
    ),
    does(
        Act::Bury,
        "bury",
        "scheduler_core/src/store/transitions/verdict.rs::bury",
        "the same for the last attempt: dead letter and alert in one statement",
    ),
    does(
        Act::CallOff,
        "call off",
        "scheduler_core/src/store/transitions/verdict.rs::call_off",
        "the same where a cancel was asked for meanwhile",
    ),
    does(
        Act::Cancel,
        "cancel",
        "scheduler_core/src/store/transitions/cancel.rs::cancel",
        "with the claim's key: cancelled; against a claim: requested",
    ),
    does(
        Act::FindUnredriven,
        "find unredriven",
        "scheduler_core/src/store/dead_letters/redrive.rs::redrive",
        "a redrive looks and sees none living",
    ),
    does(
        Act::Redrive,
        "redrive",
        "scheduler_core/src/store/dead_letters/redrive.rs::redrive",
        "it makes the new job, unless the index says that another has",
    ),
    happens(Act::Flush, "flush", false, "the log with the claim reaches the disk"),
    happens(Act::RedisReturns, "Redis returns", false, "empty"),
    happens(Act::Reconnect, "reconnect", false, "the executor reaches the database again"),
    happens(Act::Wake, "wake", false, "SIGCONT"),
    happens(Act::Die, "die", true, "`kill -9` of an executor that has something in hand"),
    happens(Act::Pause, "pause", true, "SIGSTOP, for as long as it takes"),
    happens(Act::CutOff, "cut off", true, "an executor does not reach the database"),
    happens(Act::LoseRedis, "lose Redis", true, "down, and what it held is gone"),
    happens(
        Act::CrashDatabase,
        "crash of the database",
        true,
        "a claim that had not reached the disk is gone; its holder does not know",
    ),
];
