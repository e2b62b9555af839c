//! `scheduler queues`

use crate::cli::Globals;
use crate::client::Client;
use crate::output::{self, Column};
use serde_json::{Map, Value, json};

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
    /// Change a queue's lane and limits; makes the queue if it is new
    Set {
        /// The queue
        name: String,
        /// The executor pool that serves it
        #[arg(long)]
        lane: Option<String>,
        /// Jobs of the queue that run at once; `none` takes the limit away
        #[arg(long, value_parser = super::limit)]
        concurrency: Option<super::Limit>,
        /// Jobs with the same concurrency_key that run at once
        #[arg(long, value_name = "N")]
        key_limit: Option<i32>,
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
    ("limit", "/concurrency"),
    ("due", "/depth/due"),
    ("later", "/depth/later"),
    ("running", "/depth/running"),
    ("retrying", "/depth/retrying"),
    ("blocked", "/depth/blocked"),
    ("or more", "/depth/at_least"),
    ("oldest due (s)", "/oldest_due_age_seconds"),
];

/// Runs the command.
pub async fn run(command: Command, globals: &Globals) -> anyhow::Result<()> {
    let client = Client::new(globals)?;
    match command {
        Command::List => output::list(globals.output, &client.get("/v1/queues", &[]).await?, COLUMNS),
        Command::Set { name, lane, concurrency, key_limit } => {
            let mut change = Map::new();
            change.extend(lane.map(|lane| ("lane".to_owned(), json!(lane))));
            change.extend(concurrency.map(|limit| ("concurrency".to_owned(), json!(limit.0))));
            change.extend(key_limit.map(|limit| ("concurrency_key_limit".to_owned(), json!(limit))));
            let queue = client.patch(&path(&name), &Value::Object(change)).await?;
            for warning in queue["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                eprintln!("warning: {warning}");
            }
            output::item(globals.output, &queue);
        }
        Command::Pause { name } => {
            output::item(globals.output, &client.post(&format!("{}/pause", path(&name)), &json!({})).await?)
        }
        Command::Resume { name } => {
            output::item(globals.output, &client.post(&format!("{}/resume", path(&name)), &json!({})).await?)
        }
    }
    Ok(())
}

/// Names may have slashes in them.
fn path(name: &str) -> String {
    format!("/v1/queues/{}", name.replace('/', "%2F"))
}
