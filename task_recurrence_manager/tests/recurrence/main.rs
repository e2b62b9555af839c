//! The recurrence manager against a real PostgreSQL and a real Redis, with a clock that the tests move.
#![allow(clippy::unwrap_used)]

mod ahead;
mod backfills;
mod calendars;
mod catch_up;
mod changes;
mod cost;
mod faults;
mod policies;
mod service;
mod single;
mod world;
mod year;
