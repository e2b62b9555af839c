//! The watcher's duties against a real PostgreSQL, a real Redis and a scripted receiver.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod alerts;
mod deadlines;
mod housekeeping;
mod incidents;
mod partitions;
mod reaping;
mod service;
mod sessions;
mod upkeep;
mod verdicts;
mod world;
