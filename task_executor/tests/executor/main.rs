//! The executor and its part of the store against a real PostgreSQL and a real Redis.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod caps;
mod claim;
mod drain;
mod flow;
mod hand_back;
mod http;
mod overlap;
mod results;
mod sessions;
mod support;
mod suspects;
mod unpushed;
