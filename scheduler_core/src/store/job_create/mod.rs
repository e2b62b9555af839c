//! Creating jobs: many single ones in one statement, or some together in one transaction.
//!
//! * [`Store::insert_group`](super::Store::insert_group): the ingest's way. Independent jobs of many requests share one
//!   statement and one commit.
//! * [`Store::create_together`](super::Store::create_together): all or nothing, for batches, jobs with parents, and
//!   whatever a group could not settle.

mod group;
mod insert;
mod new_job;
mod parents;
mod together;

pub use group::Single;
pub use new_job::{NewJob, Placed};
pub use together::{CreateOutcome, CreateTogether, KeyedAnswer, UnknownParent};
