//! `scheduler backfills`

use super::Paging;
use super::templates::path_of;
use crate::cli::Globals;
use crate::client::Client;
use crate::output::{self, Column};
use serde_json::{Value, json};

/// What to do with backfills.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Run a stretch of a template's past after all, or again
    Start(Start),
    /// List backfills with their progress, newest first
    List {
        /// Only those of this template: its id or name
        #[arg(long)]
        template: Option<String>,
        /// Only those in this state
        #[arg(long, value_parser = ["running", "paused", "completed", "cancelled"])]
        state: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show a backfill and how far it is
    Show {
        /// Its id
        id: String,
    },
    /// Make no more jobs until it is resumed
    Pause {
        /// Its id
        id: String,
    },
    /// Go on
    Resume {
        /// Its id
        id: String,
    },
    /// Make no more jobs, and take back those that have not started
    Cancel {
        /// Its id
        id: String,
    },
}

/// What to run.
#[derive(Debug, clap::Args)]
pub struct Start {
    /// The template's id or name
    template: String,
    /// The earliest nominal time, such as 2026-11-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    from: String,
    /// The latest nominal time
    #[arg(long, value_name = "TIME")]
    to: String,
    /// Begin with the end of the range
    #[arg(long)]
    newest_first: bool,
    /// How many of its jobs may be live at a time
    #[arg(long, value_name = "N", default_value_t = 1)]
    max_active: i32,
    /// none: what never ran; failed: also what failed for good; completed: all of it again
    #[arg(long, default_value = "none", value_parser = ["none", "failed", "completed"])]
    reprocess: String,
    /// Tell how many times it would run, and start nothing
    #[arg(long)]
    dry_run: bool,
}

const COLUMNS: &[Column] = &[
    ("id", "/id"),
    ("template", "/template_id"),
    ("state", "/state"),
    ("from", "/from"),
    ("to", "/to"),
    ("total", "/progress/total"),
    ("running", "/progress/running"),
    ("succeeded", "/progress/succeeded"),
    ("failed", "/progress/failed"),
    ("remaining", "/progress/remaining"),
];

/// Runs the command.
pub async fn run(command: Command, globals: &Globals) -> anyhow::Result<()> {
    let client = Client::new(globals)?;
    let act = async |id: &str, verb: &str| client.post(&format!("/v1/backfills/{id}/{verb}"), &json!({})).await;
    match command {
        Command::Start(wanted) => start(&client, globals, wanted).await?,
        Command::List { template, state, paging } => {
            let mut query = paging.query();
            if let Some(template) = template {
                let path = path_of(&client, &template).await?;
                query.push(("template", path.rsplit('/').next().unwrap_or_default().to_owned()));
            }
            query.extend(state.map(|state| ("state", state)));
            output::list(globals.output, &client.get("/v1/backfills", &query).await?, COLUMNS);
        }
        Command::Show { id } => show(globals, &client.get(&format!("/v1/backfills/{id}"), &[]).await?),
        Command::Pause { id } => show(globals, &act(&id, "pause").await?),
        Command::Resume { id } => show(globals, &act(&id, "resume").await?),
        Command::Cancel { id } => show(globals, &act(&id, "cancel").await?),
    }
    Ok(())
}

async fn start(client: &Client, globals: &Globals, wanted: Start) -> anyhow::Result<()> {
    let body = json!({
        "from": wanted.from, "to": wanted.to, "max_active": wanted.max_active, "reprocess": wanted.reprocess,
        "order": if wanted.newest_first { "newest_first" } else { "oldest_first" }, "dry_run": wanted.dry_run,
    });
    let path = format!("{}/backfills", path_of(client, &wanted.template).await?);
    show(globals, &client.post(&path, &body).await?);
    Ok(())
}

/// A backfill, its progress a line each.
fn show(globals: &Globals, backfill: &Value) {
    let mut flat = backfill.clone();
    if globals.output == output::Format::Table
        && let Some(fields) = flat.as_object_mut()
        && let Some(Value::Object(progress)) = fields.remove("progress")
    {
        fields.extend(progress);
    }
    output::item(globals.output, &flat);
}
