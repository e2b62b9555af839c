//! Templates: recurring definitions, what becomes of them, and a look ahead.

mod body;
pub mod create;
pub mod delete;
pub mod diff;
pub(in crate::routes) mod dry_run;
pub(in crate::routes) mod etag;
pub mod explain;
mod future;
pub mod get;
pub mod list;
mod merge_patch;
pub mod occurrence;
pub mod occurrences;
pub mod patch;
pub mod pause;
pub mod preview;
pub mod replace;
pub mod resume;
pub mod rollback;
mod shared;
pub mod trigger;
pub mod version;
pub mod versions;
