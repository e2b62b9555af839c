//! `scheduler templates`

use super::Paging;
use crate::cli::Globals;
use crate::client::Client;
use crate::output::{self, Column};
use serde_json::{Value, json};

/// What to do with templates.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Create a template
    Create {
        /// Its name
        #[arg(long, required_unless_present = "json")]
        name: Option<String>,
        /// Cron expression
        #[arg(long, required_unless_present_any = ["json", "every"])]
        cron: Option<String>,
        /// Time zone of the cron expression
        #[arg(long, default_value = "UTC")]
        timezone: String,
        /// Seconds between runs, instead of a cron expression
        #[arg(long, conflicts_with = "cron")]
        every: Option<u64>,
        /// Webhook to call
        #[arg(long, value_name = "URL")]
        webhook: Option<String>,
        /// The whole body instead: JSON, @file, or -
        #[arg(long, conflicts_with_all = ["name", "cron", "every", "webhook"])]
        json: Option<String>,
    },
    /// Show a template
    Get {
        /// Its id
        id: String,
    },
    /// List templates, newest first
    List(Paging),
    /// Replace a template
    Replace {
        /// Its id
        id: String,
        /// The new body: JSON, @file, or -
        json: String,
    },
    /// Stop firing
    Pause {
        /// Its id
        id: String,
    },
    /// Fire again, from now on
    Resume {
        /// Its id
        id: String,
    },
    /// Run it once, now
    Trigger {
        /// Its id
        id: String,
    },
    /// Delete it
    Delete {
        /// Its id
        id: String,
    },
    /// Show what happened at its times
    Occurrences {
        /// Its id
        id: String,
    },
    /// Show when a schedule would fire
    Preview {
        /// The schedule: JSON, @file, or -
        schedule: String,
        /// How many times
        #[arg(long, default_value_t = 10)]
        count: u32,
    },
}

const COLUMNS: &[Column] = &[
    ("id", "/id"),
    ("name", "/name"),
    ("active", "/active"),
    ("schedule", "/schedule/expression"),
    ("every (s)", "/schedule/every_seconds"),
    ("next", "/next_at"),
    ("version", "/version"),
];
const OCCURRENCE_COLUMNS: &[Column] =
    &[("nominal time", "/at"), ("outcome", "/outcome"), ("job", "/job_id"), ("version", "/version")];
const PREVIEW_COLUMNS: &[Column] = &[("UTC", "/at"), ("local", "/local"), ("note", "/note")];

/// Runs the command.
pub async fn run(command: Command, globals: &Globals) -> anyhow::Result<()> {
    let client = Client::new(globals)?;
    let act = async |id: &str, verb: &str| client.post(&format!("/v1/templates/{id}/{verb}"), &json!({})).await;
    match command {
        Command::Create { json: Some(body), .. } => {
            output::item(globals.output, &client.post("/v1/templates", &super::read_json(&body)?).await?);
        }
        Command::Create { name, cron, timezone, every, webhook, .. } => {
            let body = json!({ "name": name, "schedule": schedule(cron, &timezone, every), "job": { "target": target(webhook) } });
            output::item(globals.output, &client.post("/v1/templates", &body).await?);
        }
        Command::Get { id } => output::item(globals.output, &client.get(&format!("/v1/templates/{id}"), &[]).await?),
        Command::List(paging) => {
            output::list(globals.output, &client.get("/v1/templates", &paging.query()).await?, COLUMNS);
        }
        Command::Replace { id, json } => {
            let body = super::read_json(&json)?;
            output::item(globals.output, &client.put(&format!("/v1/templates/{id}"), &body).await?);
        }
        Command::Pause { id } => output::item(globals.output, &act(&id, "pause").await?),
        Command::Resume { id } => output::item(globals.output, &act(&id, "resume").await?),
        Command::Trigger { id } => output::item(globals.output, &act(&id, "trigger").await?),
        Command::Delete { id } => {
            client.delete(&format!("/v1/templates/{id}")).await?;
            output::line(format_args!("deleted {id}"));
        }
        Command::Occurrences { id } => {
            let answer = client.get(&format!("/v1/templates/{id}/occurrences"), &[]).await?;
            output::list(globals.output, &answer, OCCURRENCE_COLUMNS);
        }
        Command::Preview { schedule, count } => {
            let body = json!({ "schedule": super::read_json(&schedule)?, "count": count });
            preview(globals, &client.post("/v1/templates/preview", &body).await?);
        }
    }
    Ok(())
}

fn schedule(cron: Option<String>, timezone: &str, every: Option<u64>) -> Value {
    match every {
        Some(seconds) => json!({ "kind": "interval", "every_seconds": seconds }),
        None => json!({ "kind": "cron", "expression": cron, "timezone": timezone }),
    }
}

fn target(webhook: Option<String>) -> Value {
    match webhook {
        Some(url) => json!({ "kind": "http", "url": url }),
        None => json!({ "kind": "noop" }),
    }
}

fn preview(globals: &Globals, answer: &Value) {
    if globals.output == output::Format::Json {
        return output::json(answer);
    }
    if let Some(words) = answer.get("description").and_then(Value::as_str) {
        output::line(format_args!("{words}"));
    }
    output::list(globals.output, &answer["occurrences"], PREVIEW_COLUMNS);
    for warning in answer["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        output::line(format_args!("note: {warning}"));
    }
}
