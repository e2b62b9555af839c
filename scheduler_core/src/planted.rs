//! Bugs and faults on demand, for the test of the tests.
//!
//! The checker of `system_tests` has to find a bug when there is one. With the feature `planted-bugs` the variable
//! `CHAOS_RUN_PLANTED_BUG` chooses one of those that are marked in the code by its name; with `fault-injection` the
//! file that `CHAOS_RUN_FAULT_CLOCK` names says how many milliseconds the database's clock is misread by. Without the
//! features, which only the test builds have, all of this is constant and compiles to nothing.

/// Whether the bug of this name is to be there.
#[cfg(feature = "planted-bugs")]
pub fn planted(bug: &str) -> bool {
    static CHOSEN: std::sync::LazyLock<Option<String>> =
        std::sync::LazyLock::new(|| std::env::var("CHAOS_RUN_PLANTED_BUG").ok());
    CHOSEN.as_deref() == Some(bug)
}

/// Whether the bug of this name is to be there: never in this build.
#[cfg(not(feature = "planted-bugs"))]
#[inline(always)]
pub const fn planted(_bug: &str) -> bool {
    false
}

/// The statement, or what becomes of it under the bug: `from` replaced by `to`.
#[cfg(feature = "planted-bugs")]
pub(crate) fn bent(statement: &'static str, bug: &str, from: &str, to: &str) -> &'static str {
    if !planted(bug) {
        return statement;
    }
    static BENT: std::sync::LazyLock<parking_lot::Mutex<std::collections::HashMap<&'static str, &'static str>>> =
        std::sync::LazyLock::new(Default::default);
    assert!(statement.contains(from), "the planted bug {bug} does not fit its statement any more");
    // Each statement once: there are few, and they are asked for often.
    let make = || &*Box::leak(statement.replace(from, to).into_boxed_str());
    BENT.lock().entry(statement).or_insert_with(make)
}

/// The statement: no bugs in this build.
#[cfg(not(feature = "planted-bugs"))]
#[inline(always)]
pub(crate) const fn bent(statement: &'static str, _bug: &str, _from: &str, _to: &str) -> &'static str {
    statement
}

/// By how much a reading of the database's clock is to be wrong.
#[cfg(any(feature = "fault-injection", feature = "planted-bugs"))]
pub(crate) fn clock_fault() -> chrono::TimeDelta {
    let planted = if planted("early_by_local_clock") { 1_000 } else { 0 };
    let injected = std::env::var("CHAOS_RUN_FAULT_CLOCK").ok().and_then(|file| std::fs::read_to_string(file).ok());
    chrono::TimeDelta::milliseconds(planted + injected.and_then(|text| text.trim().parse().ok()).unwrap_or(0))
}

#[cfg(all(test, not(feature = "planted-bugs")))]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_planted_by_default() {
        const NEVER: bool = planted("reap_by_id");
        const SAME: &str = bent("SELECT 1", "reap_by_id", "1", "2");
        assert_eq!((NEVER, SAME), (false, "SELECT 1"));
    }
}
