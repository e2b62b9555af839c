//! The command, run as a program against a served API.
#![allow(clippy::unwrap_used)]

mod cron;
mod declarative;
mod import;
mod steering;
mod world;
