//! End-to-end tests: the real daemons as processes of their own, called through the API.
#![allow(clippy::unwrap_used, clippy::expect_used)]

pub mod cluster;
