//! One endpoint, one file; each reads refusals → documentation → handler.

pub mod backfills;
pub mod calendars;
pub mod dead_letters;
pub mod freezes;
pub mod incidents;
pub mod jobs;
pub mod queues;
pub mod templates;
