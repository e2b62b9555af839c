//! What the store promises, against a real PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod caps;
mod caps_races;
mod claims;
mod connections;
mod line;
mod queue_settings;
mod world;
