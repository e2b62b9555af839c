//! The edges of the state machine ([`crate::domain::transitions::TRANSITIONS`]), each one guarded statement.
//!
//! What every edge keeps to:
//!
//! * It names the state that it leaves, in its `WHERE`. No row means somebody else was first, which is an answer and
//!   no error.
//! * A job that an executor could claim is only touched under its claim key ([`claim_key`]); blocked and failed jobs
//!   cannot be claimed, so their row's own lock is enough.
//! * Whoever removes a claim writes the live row in the same statement.
//! * Whoever removes a claim gives its places under concurrency caps back in the same statement ([`caps`]).
//! * Locks are taken in one order: sessions, claims, counters of caps, jobs, each by key.
//! * Batches are found by key whatever the statistics say ([`crate::store::plans`] says how).

mod batch;
pub mod cancel;
pub(crate) mod caps;
pub mod claim;
pub(crate) mod claim_key;
pub mod dependencies;
pub mod expire;
pub(crate) mod finish;
pub mod hand_back;
pub mod overlap;
pub mod reap;
pub mod results;
pub mod run_now;
pub mod verdict;
