//! PostgreSQL, the truth: one file per family of tables, and `transitions` with one guarded statement per edge.
//!
//! A concrete store over the one database: no repository traits. Reads that find nothing return `Option` or an empty
//! list; writes say how many rows they expect.

pub mod due;
pub mod error;
pub mod lanes;
pub mod materialise;
pub mod pool;
pub mod schema;
pub mod sessions;
pub mod templates;
pub mod transitions;

pub use error::{ErrorClass, StoreError};
pub use pool::{Store, StoreOptions, StoreRole};

/// Result of a call to the database.
pub type StoreResult<T> = Result<T, StoreError>;
