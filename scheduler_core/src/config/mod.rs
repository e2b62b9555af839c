//! Settings: defaults < file (TOML) < environment < flags.
//!
//! Each setting is declared once, in `settings.rs`: its name, default, kind, limits and meaning.
//! The typed [`Settings`], the reference in `docs/configuration.md` and the checks all come from
//! that table. `database.url` in the file is `SCHEDULER_DATABASE_URL` in the environment and
//! `--set database.url=…` as a flag; a wrong name is answered with the nearest right one.

mod args;
mod check;
mod environment;
mod error;
mod kind;
mod load;
mod reference;
mod section;
mod settings;
mod types;

pub use args::ConfigArgs;
pub use environment::{FOREIGN_VARIABLES, env_name};
pub use error::{ConfigError, ConfigErrors};
pub use kind::{Kind, Setting, TimeUnit};
pub use load::{LoadOptions, Loaded, Resolved};
pub use reference::reference_markdown;
pub use section::{Section, Service};
pub use settings::*;
pub use types::{Lane, Lanes, ListenAt, Secret, SecretUrl};
