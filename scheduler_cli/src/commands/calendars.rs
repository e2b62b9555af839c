//! `scheduler calendars`

use super::Paging;
use crate::cli::Globals;
use crate::client::Client;
use crate::declarative::remote::calendar_path;
use crate::output::{self, Column};
use reqwest::Method;
use serde_json::json;
use std::path::Path;

/// What to do with calendars.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Create a calendar
    Create {
        /// Its name
        name: String,
        /// Its days: JSON such as '{"yearly":["12-25"]}', @file, or -
        definition: String,
    },
    /// List calendars
    List(Paging),
    /// Show a calendar
    Get {
        /// Its name
        name: String,
    },
    /// Give a calendar other days; the templates that use it are planned anew
    Replace {
        /// Its name
        name: String,
        /// Its days: JSON, @file, or -
        definition: String,
    },
    /// Create or replace a calendar by an iCalendar file
    Import {
        /// Its name
        name: String,
        /// The .ics file, or -
        file: String,
    },
    /// Delete a calendar that no template uses
    Delete {
        /// Its name
        name: String,
    },
}

const COLUMNS: &[Column] =
    &[("name", "/name"), ("version", "/version"), ("templates", "/templates"), ("changed", "/updated_at")];

/// Runs the command.
pub async fn run(command: Command, globals: &Globals) -> anyhow::Result<()> {
    let client = Client::new(globals)?;
    let shown = match command {
        Command::Create { name, definition } => {
            let body = json!({ "name": name, "definition": super::read_json(&definition)? });
            client.post("/v1/calendars", &body).await?
        }
        Command::List(paging) => {
            output::list(globals.output, &client.get("/v1/calendars", &paging.query()).await?, COLUMNS);
            return Ok(());
        }
        Command::Get { name } => client.get(&calendar_path(&name), &[]).await?,
        Command::Replace { name, definition } => {
            let body = json!({ "definition": super::read_json(&definition)? });
            client.put(&calendar_path(&name), &body).await?
        }
        Command::Import { name, file } => {
            let text = match file.as_str() {
                "-" => std::io::read_to_string(std::io::stdin())?,
                path => super::read_file(Path::new(path))?,
            };
            let request = client.request(Method::POST, &format!("{}/import", calendar_path(&name)));
            client.send(request.header("content-type", "text/calendar").body(text)).await?
        }
        Command::Delete { name } => {
            client.delete(&calendar_path(&name)).await?;
            output::line(format_args!("deleted {name}"));
            return Ok(());
        }
    };
    output::item(globals.output, &shown);
    Ok(())
}
