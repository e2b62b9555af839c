//! The populator against a real PostgreSQL and a real Redis.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod caps;
mod dependencies;
mod fairness;
mod half_open;
mod lanes;
mod outages;
mod overlaps;
mod pushing;
mod world;
