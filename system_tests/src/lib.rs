//! End-to-end tests: the real daemons as processes of their own, called through the API.
#![allow(clippy::unwrap_used, clippy::expect_used)]

pub mod chaos;
pub mod cluster;
pub mod disconnects;
pub mod model;
pub mod soak;
