//! `scheduler migrate`

use crate::cli::Globals;
use anyhow::Context as _;

/// Applies the migrations that are missing.
pub async fn run(globals: &Globals) -> anyhow::Result<()> {
    let store = super::admin_store(globals)?;
    let before = store.schema_version().await.context("cannot reach PostgreSQL")?;
    store.migrate().await?;
    let after = store.schema_version().await?;
    match after.found - before.found {
        0 => println!("schema is up to date (version {})", after.found),
        _ => println!("schema migrated from version {} to {}", before.found, after.found),
    }
    Ok(())
}
