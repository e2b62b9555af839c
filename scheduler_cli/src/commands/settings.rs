//! `scheduler settings`

use crate::cli::Globals;
use scheduler_core::config::Settings;

/// Prints every setting as TOML, with its origin; secrets are hidden.
pub fn run(globals: &Globals) -> anyhow::Result<()> {
    let loaded = Settings::load_with_origins(globals.load_options()?)?;
    print!("{}", loaded.to_toml());
    Ok(())
}
