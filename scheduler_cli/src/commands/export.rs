//! `scheduler export`

use crate::cli::Globals;
use crate::client::Client;
use crate::declarative::export::Exported;
use crate::declarative::remote::{self, text};
use crate::output::{self, Format};

/// What to export.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only templates and calendars whose names begin so; the file calls this prefix its own
    #[arg(long)]
    prefix: Option<String>,
}

/// Runs the command.
pub async fn run(args: Args, globals: &Globals) -> anyhow::Result<()> {
    let client = Client::new(globals)?;
    let prefix = args.prefix.unwrap_or_default();
    let templates = remote::templates(&client, &prefix).await?;
    let mut calendars = remote::calendars(&client).await?;
    calendars.retain(|row| text(row, "name").starts_with(&prefix));
    let exported = Exported::of(Some(prefix).filter(|prefix| !prefix.is_empty()), calendars, templates)?;
    match globals.output {
        Format::Json => output::json(&serde_json::to_value(&exported)?),
        Format::Table => output::line(exported.to_yaml()?.trim_end()),
    }
    Ok(())
}
