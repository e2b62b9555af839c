//! Templates and calendars as files: `scheduler apply` makes the scheduler hold what the files say, `scheduler export` writes
//! files that say what the scheduler holds.
//!
//! Reading ([`files`]) → comparing, with the scheduler judging every definition before anything is written ([`plan`]) →
//! showing ([`show`]) → writing, each step only if nobody has changed the thing since it was compared ([`carry_out`]).

pub mod carry_out;
pub mod export;
pub mod files;
pub mod plan;
pub mod remote;
pub mod show;
