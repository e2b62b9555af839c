//! The `scheduler` command: everything in one process for development, and the operator's and producer's tool.
//!
//! Two kinds of commands: those that call the REST API with a merchant's key (`jobs`, `templates`, `calendars`,
//! `apply`, `export`, `dead-letters`, `queues`, `bench`), and those of a platform admin that speak to the database (`migrate`, `doctor`, `merchants`,
//! `keys`). Both find a `make dev` in this or a parent folder by its `.dev/env`.

mod cli;
mod client;
mod commands;
mod declarative;
mod dev_env;
mod output;

pub use cli::{Cli, run};
