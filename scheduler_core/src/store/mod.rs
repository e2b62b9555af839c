//! PostgreSQL, the truth: one file per family of tables, and `transitions` with one guarded statement per edge.
//!
//! A concrete store over the one database: no repository traits. Reads that find nothing return `Option` or an empty
//! list; writes say how many rows they expect.

pub mod alerts;
pub mod api_keys;
pub mod backfills;
pub mod calendars;
pub mod caps;
mod columns;
mod db;
pub mod dead_letters;
pub mod due;
pub mod error;
pub mod freezes;
pub mod housekeeping;
pub mod idempotency;
pub mod incidents;
pub mod job_create;
pub mod job_read;
pub mod lanes;
pub mod materialise;
pub mod measure;
pub mod merchants;
pub mod partitions;
pub(crate) mod plans;
#[cfg(feature = "planted-bugs")]
mod planted;
pub mod pool;
pub mod queue_settings;
pub mod queues;
pub mod schema;
pub mod sessions;
pub mod templates;
pub mod transitions;

pub use db::{Db, Lent, Tx};
pub use error::{ErrorClass, StoreError};
pub use pool::{Store, StoreOptions, StoreRole};

/// Result of a call to the database.
pub type StoreResult<T> = Result<T, StoreError>;
