//! The shared library of the task scheduler: what at least two services use, and nothing else.
//!
//! Arrows go down only: services → `store` and `queue` (which never use each other) → `domain`
//! and `schedule`, which are pure. `attach` joins store, queue and health for every daemon. This is
//! the only crate that speaks SQL or Redis.

pub mod attach;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod domain;
#[cfg(test)]
mod generated;
pub mod health;
pub mod lifecycle;
pub mod planted;
pub mod queue;
pub mod reconcile;
pub mod schedule;
pub mod store;
pub mod telemetry;
