//! Freeze windows: times in which nothing of the merchant's templates starts.

pub mod create;
pub mod delete;
pub mod list;
