//! `scheduler settings`

use crate::cli::Globals;
use crate::output::{self, Format};
use scheduler_core::config::{Resolved, Settings};
use serde_json::{Value, json};

/// Prints every setting, as TOML or JSON, with its origin; secrets are hidden.
pub fn run(globals: &Globals) -> anyhow::Result<()> {
    let loaded = Settings::load_with_origins(globals.load_options()?)?;
    if globals.output == Format::Json {
        let setting = |s: &Resolved| (s.name.to_owned(), json!({ "value": s.shown, "origin": s.origin }));
        output::json(&Value::Object(loaded.resolved.iter().map(setting).collect()));
    } else {
        output::line(loaded.to_toml().trim_end());
    }
    Ok(())
}
