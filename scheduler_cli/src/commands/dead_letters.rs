//! `scheduler dead-letters`

use super::Paging;
use crate::cli::Globals;
use crate::client::Client;
use crate::output::{self, Column};
use serde_json::{Value, json};

/// What to do with dead letters.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List dead letters, newest first
    List {
        /// Only those of this queue
        #[arg(long)]
        queue: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show a dead letter
    Get {
        /// Its job id
        id: String,
    },
    /// Run one again, as a new job
    Redrive {
        /// Its job id
        #[arg(required_unless_present = "queue", conflicts_with = "queue")]
        id: Option<String>,
        /// All those of this queue instead
        #[arg(long)]
        queue: Option<String>,
    },
    /// Delete one for good
    Purge {
        /// Its job id
        id: String,
    },
}

const COLUMNS: &[Column] = &[
    ("id", "/id"),
    ("queue", "/queue"),
    ("reason", "/reason"),
    ("attempts", "/attempt"),
    ("died", "/finished_at"),
    ("last error", "/last_error"),
];

/// Runs the command.
pub async fn run(command: Command, globals: &Globals) -> anyhow::Result<()> {
    let client = Client::new(globals)?;
    match command {
        Command::List { queue, paging } => {
            let mut query = paging.query();
            query.extend(queue.map(|queue| ("queue", queue)));
            output::list(globals.output, &client.get("/v1/dead-letters", &query).await?, COLUMNS);
        }
        Command::Get { id } => output::item(globals.output, &client.get(&format!("/v1/dead-letters/{id}"), &[]).await?),
        Command::Redrive { id: Some(id), .. } => {
            let answer = client.post(&format!("/v1/dead-letters/{id}/redrive"), &json!({})).await?;
            output::item(globals.output, &answer);
        }
        Command::Redrive { id: None, queue } => {
            let answer = client.post("/v1/dead-letters/redrive", &json!({ "queue": queue })).await?;
            output::item(globals.output, &answer);
        }
        Command::Purge { id } => match client.delete(&format!("/v1/dead-letters/{id}")).await? {
            Value::Null => println!("purged {id}"),
            answer => output::item(globals.output, &answer),
        },
    }
    Ok(())
}
