//! The command, run as a program against a served API.
#![allow(clippy::unwrap_used)]

mod declarative;
mod steering;
mod world;
