//! `docs/model.md`.

use super::act::ACTS;
use super::{Explored, Flaw, expose};
use std::fmt::Write;

const HEAD: &str = "\
# The model of the claim protocol

Generated from `system_tests/src/model/`; `UPDATE_DOCS=1 cargo test -p system_tests --lib model` writes it anew.

The model is one job, two executors, PostgreSQL and Redis, small enough that *every* state can be visited: every order in
which things may happen, with up to two accidents in each history. With three accidents there are a million states; they
hold as well (`make chaos`). In every state these promises must hold:

- the job is in exactly one place, and a terminal state never changes;
- each attempt has at most one accepted result, and each counted attempt has its record;
- a claim exists only for a job that is due;
- at most one executor has effects, and none once a cancel was acknowledged as done;
- failures and crashes stay within their limits;
- a dead letter has its alert, and at most one redrive of it lives;

and from every state, if nothing goes wrong any more, the job can still come to its end.

Two things are excused, because nobody can prevent them: effects of an executor that was stopped (SIGSTOP) beyond its
lease, in the moment between waking and learning it; and effects under a claim that a crash of the database took away
before it had reached the disk (claims are committed without waiting for the disk). In both cases effects may overlap,
results may not: only one is accepted. Targets tell repetitions by `Idempotency-Key`.

What the model leaves out: time (only its order: a lease ends for its executor before it ends for the watcher), batches,
other jobs, caps, schedules. Those are for the tests with real processes.
";

/// The page about what came of the protocol as it is. Explores every wrong variant, which takes a moment.
pub fn page(right: &Explored) -> String {
    let mut page = format!("{HEAD}\nThe protocol as it is: {right}.\n\n## Actions\n\n");
    page.push_str("| action | stands for | code |\n|---|---|---|\n");
    for info in ACTS {
        let code = info.code.map_or_else(|| "the world".to_owned(), |code| format!("`{code}`"));
        let fault = if info.is_fault { " (accident)" } else { "" };
        let _infallible = writeln!(page, "| {}{fault} | {} | {code} |", info.name, info.says);
    }
    page.push_str("\n## Wrong variants\n\nThe model is itself tested: each of these mistakes is found, by the shortest history with the fewest accidents\nthat shows it.\n\n");
    page.push_str("| mistake | promise that breaks | how |\n|---|---|---|\n");
    for flaw in Flaw::ALL {
        let (promise, way) = expose(flaw).violation.unwrap_or(("**none**", Vec::new()));
        let _infallible = writeln!(page, "| {} | {promise} | {} |", flaw.says(), way.join(" → "));
    }
    page
}
