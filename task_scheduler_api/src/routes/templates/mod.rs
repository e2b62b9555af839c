//! Templates: recurring definitions, what becomes of them, and a look ahead.

mod body;
pub mod create;
pub mod delete;
mod etag;
pub mod get;
pub mod list;
mod merge_patch;
pub mod occurrences;
pub mod patch;
pub mod pause;
pub mod preview;
pub mod replace;
pub mod resume;
mod shared;
pub mod trigger;
