//! The API over a real loopback listener, on a real PostgreSQL and a real Redis.
#![allow(clippy::unwrap_used)]

mod actions;
mod auth;
mod backfills;
mod batch;
mod calendars;
mod create;
mod dead_letters;
mod dependencies;
mod documents;
mod freezes;
mod idempotency;
mod incidents;
mod malformed;
mod queues;
mod reading;
mod resilience;
mod templates;
mod world;
