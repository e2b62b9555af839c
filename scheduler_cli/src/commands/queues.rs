//! `scheduler queues`

use crate::cli::Globals;
use crate::client::Client;
use crate::output::{self, Column};
use serde_json::json;

/// What to do with queues.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List queues with their depths
    List,
    /// Start no more jobs of a queue
    Pause {
        /// The queue
        name: String,
    },
    /// Start them again
    Resume {
        /// The queue
        name: String,
    },
}

const COLUMNS: &[Column] = &[
    ("queue", "/name"),
    ("lane", "/lane"),
    ("paused since", "/paused_at"),
    ("due", "/depth/due"),
    ("later", "/depth/later"),
    ("running", "/depth/running"),
    ("retrying", "/depth/retrying"),
    ("blocked", "/depth/blocked"),
    ("oldest due (s)", "/oldest_due_age_seconds"),
];

/// Runs the command.
pub async fn run(command: Command, globals: &Globals) -> anyhow::Result<()> {
    let client = Client::new(globals)?;
    match command {
        Command::List => output::list(globals.output, &client.get("/v1/queues", &[]).await?, COLUMNS),
        Command::Pause { name } => {
            output::item(globals.output, &client.post(&format!("/v1/queues/{name}/pause"), &json!({})).await?)
        }
        Command::Resume { name } => {
            output::item(globals.output, &client.post(&format!("/v1/queues/{name}/resume"), &json!({})).await?)
        }
    }
    Ok(())
}
