//! Nothing lost, nothing twice: shown from outside, under faults.
//!
//! A seeded [`generator`] drives the real daemons ([`fleet`]) through the API and writes down what it asked and what it
//! was told ([`history`]). The [`target`] that the jobs call stands outside the system and is the oracle of executions. A
//! [`nemesis`] injects one kind of fault over and over. Then everything is healed, the work runs out, and the
//! [`checks`] compare history, oracle and rows. [`planted`] turns it around: bugs that the checks must find.

pub mod checks;
pub mod evidence;
pub mod fleet;
pub mod generator;
pub mod history;
pub mod nemesis;
pub mod planted;
pub mod report;
pub mod run;
pub mod servers;
pub mod target;

use chrono::{DateTime, Utc};

/// This machine's clock, which is the database's as well: both stand on it, outside of the daemons.
#[expect(clippy::disallowed_methods, reason = "the observer stands outside of the system and has its own clock")]
pub fn wall_clock() -> DateTime<Utc> {
    Utc::now()
}
