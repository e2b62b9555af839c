//! `scheduler incidents`

use super::Paging;
use crate::cli::Globals;
use crate::client::Client;
use crate::output::{self, Column};
use serde_json::json;

/// What to do with incidents.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List incidents, opened last first
    List {
        /// Those that are over, too
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show an incident
    Get {
        /// Its id
        id: String,
    },
    /// Say that you look after it: it does not escalate any more
    Acknowledge {
        /// Its id
        id: String,
        /// Your name, for others to read
        #[arg(long)]
        by: Option<String>,
    },
    /// Say that it is over
    Resolve {
        /// Its id
        id: String,
    },
}

const COLUMNS: &[Column] = &[
    ("id", "/id"),
    ("about", "/key"),
    ("state", "/state"),
    ("opened", "/opened_at"),
    ("last", "/last_at"),
    ("alerts", "/alerts"),
    ("escalations", "/escalations"),
    ("looked after by", "/acknowledged_by"),
];

/// Runs the command.
pub async fn run(command: Command, globals: &Globals) -> anyhow::Result<()> {
    let client = Client::new(globals)?;
    match command {
        Command::List { all, paging } => {
            let mut query = paging.query();
            if !all {
                query.push(("open", "true".to_owned()));
            }
            output::list(globals.output, &client.get("/v1/incidents", &query).await?, COLUMNS);
        }
        Command::Get { id } => output::item(globals.output, &client.get(&format!("/v1/incidents/{id}"), &[]).await?),
        Command::Acknowledge { id, by } => {
            let path = format!("/v1/incidents/{id}/acknowledge");
            output::item(globals.output, &client.post(&path, &json!({ "by": by })).await?);
        }
        Command::Resolve { id } => {
            output::item(globals.output, &client.post(&format!("/v1/incidents/{id}/resolve"), &json!({})).await?);
        }
    }
    Ok(())
}
