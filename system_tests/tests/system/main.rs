//! One binary, so that everything is linked once.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod chaos;
mod faults;
mod occurrences;
mod pipeline;
mod state_machine;
mod tidy;
