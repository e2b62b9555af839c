//! The ready sets and the hints against a real Redis, and against one that comes and goes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod hints;
mod proxy;
mod ready;
