//! The test of the tests: bugs that are planted in the daemons of a test build, each of which the checks must find.

use super::nemesis::Fault;
use super::run::{Outcome, Plan, run};
use super::servers::Servers;
use std::time::{Duration, Instant};

/// A bug, the fault that brings it out, and the checks that may be the ones to find it.
#[derive(Clone, Copy, Debug)]
pub struct Planted {
    /// Its name in the code.
    pub name: &'static str,
    /// What is wrong.
    pub what: &'static str,
    /// Under what.
    pub fault: Fault,
    /// By what.
    pub found_by: &'static [&'static str],
}

const fn bug(name: &'static str, what: &'static str, fault: Fault, found_by: &'static [&'static str]) -> Planted {
    Planted { name, what, fault, found_by }
}

/// All of them.
pub const BUGS: [Planted; 19] = [
    bug(
        "reap_by_id",
        "claims are taken back for their age, whoever holds them",
        Fault::None,
        &["lost with its session"],
    ),
    bug("renew_after_expiry", "a lost session may be renewed", Fault::Pause, &["lost is final"]),
    bug(
        "complete_without_token",
        "a result ends whatever claim there is",
        Fault::Partition,
        &["accepted as it ran", "single acceptance", "legal walk"],
    ),
    bug("queued_flag", "what was pushed once counts as queued for ever", Fault::Flush, &["alive", "recovers"]),
    bug("ack_before_commit", "creates are acknowledged before their commit", Fault::PostgresCrash, &["durable"]),
    bug("early_by_local_clock", "a clock of the daemon's own decides what is due", Fault::None, &["never early"]),
    bug(
        "retry_in_second_transaction",
        "a retry is inserted in a second transaction",
        Fault::PostgresCrash,
        &["durable"],
    ),
    bug("cursor_skips_late_commits", "the sweep keeps a cursor", Fault::Flush, &["alive", "recovers"]),
    bug("idempotency_unscoped", "idempotency keys are looked up without the merchant", Fault::None, &["tenants apart"]),
    bug("cancel_only_in_redis", "a cancel is sent as a hint and not written", Fault::None, &["cancels", "durable"]),
    bug("hand_back_spends_attempt", "handing a claim back counts as an attempt", Fault::Rolling, &["legal walk"]),
    bug("overlap_unchecked", "nobody looks for an earlier occurrence", Fault::None, &["overlap policy"]),
    bug(
        "occurrence_apart_from_its_job",
        "an occurrence and its job are two transactions",
        Fault::PostgresCrash,
        &["one record per occurrence"],
    ),
    bug(
        "replay_accepted_twice",
        "a result that is sent again counts again",
        Fault::AnswerLost,
        &["single acceptance", "one end per job"],
    ),
    bug(
        "dead_letter_without_alert",
        "dead letters are written without their alerts",
        Fault::None,
        &["dead letters have alerts"],
    ),
    bug("crash_uncounted", "a lost attempt does not count as a crash", Fault::Kill, &["attempts within limits"]),
    bug("cap_given_back_twice", "the end of a job gives two places under its caps back", Fault::None, &["within caps"]),
    bug("child_before_parents", "a child is let go as its first parent ends", Fault::None, &["children after parents"]),
    bug("fence_ignored", "attempts go on when their session is lost", Fault::Partition, &["effects fenced"]),
];

/// How long a bug may stay hidden.
const WITHIN: Duration = Duration::from_secs(240);

/// What came of the hunt for one bug.
#[derive(Debug)]
pub struct Hunt {
    /// The bug.
    pub bug: Planted,
    /// The seed that found it, and how long that took, all runs before it included.
    pub found: Option<(u64, Duration)>,
    /// The last run.
    pub outcome: Outcome,
}

impl Hunt {
    /// The checks that the last run failed, those that were expected first.
    pub fn checks(&self) -> Vec<&'static str> {
        let mut checks: Vec<_> = self.outcome.violations.iter().map(|violation| violation.check).collect();
        checks.sort_by_key(|check| (!self.bug.found_by.contains(check), *check));
        checks.dedup();
        checks
    }
}

/// Runs with a bug, seed after seed, until a check finds it.
pub async fn hunt(servers: &Servers, bug: Planted, first_seed: u64, load: Duration) -> Hunt {
    let started = Instant::now();
    let mut seed = first_seed;
    loop {
        let mut plan = Plan::of(bug.fault, seed, load);
        plan.settings.push(("CHAOS_RUN_PLANTED_BUG".to_owned(), bug.name.to_owned()));
        // What is stuck is stuck.
        plan.patience = Duration::from_secs(15);
        let outcome = run(servers, &plan).await;
        let found = outcome.found_by(bug.found_by) > 0;
        if found || started.elapsed() > WITHIN {
            return Hunt { bug, found: found.then(|| (seed, started.elapsed())), outcome };
        }
        seed += 1;
    }
}
