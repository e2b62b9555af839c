//! One command, one file.

pub mod apply;
pub mod backfills;
pub mod bench;
pub mod calendars;
pub mod cron;
pub mod dead_letters;
pub mod dev;
pub mod doctor;
pub mod export;
pub mod freezes;
pub mod health;
pub mod import;
pub mod incidents;
pub mod jobs;
pub mod keys;
pub mod listen;
pub mod merchants;
pub mod migrate;
pub mod queues;
pub mod settings;
pub mod templates;

use crate::cli::Globals;
use anyhow::Context as _;
use scheduler_core::store::{Store, StoreOptions, StoreRole};
use std::path::Path;

/// A small pool for an admin's command.
fn admin_store(globals: &Globals) -> anyhow::Result<Store> {
    let settings = globals.settings()?;
    let options = StoreOptions::new(settings.database.url.expose(), StoreRole::Durable, 4, "scheduler_cli");
    Store::connect_lazy(&options).context("database.url cannot be used")
}

/// JSON from an argument: the text itself, or `@file`, or `-` for standard input.
fn read_json(argument: &str) -> anyhow::Result<serde_json::Value> {
    let text = match argument {
        "-" => std::io::read_to_string(std::io::stdin()).context("cannot read standard input")?,
        path if path.starts_with('@') => read_file(Path::new(&path[1..]))?,
        text => text.to_owned(),
    };
    serde_json::from_str(&text).with_context(|| format!("{argument} is no JSON"))
}

fn read_file(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Query parameters of a list command.
#[derive(Debug, clap::Args)]
pub struct Paging {
    /// How many to show
    #[arg(long, default_value_t = 50)]
    limit: u32,
    /// Where the previous page ended
    #[arg(long)]
    cursor: Option<String>,
}

impl Paging {
    fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = vec![("limit", self.limit.to_string())];
        query.extend(self.cursor.clone().map(|cursor| ("cursor", cursor)));
        query
    }
}

/// A limit from an argument: a number from 1, or `none`.
#[derive(Clone, Copy, Debug)]
pub struct Limit(Option<i32>);

fn limit(argument: &str) -> Result<Limit, String> {
    match argument {
        "none" => Ok(Limit(None)),
        number => match number.parse() {
            Ok(n) if n >= 1 => Ok(Limit(Some(n))),
            _ => Err("write a number from 1, or none".to_owned()),
        },
    }
}
