//! `scheduler jobs`

use super::Paging;
use crate::cli::Globals;
use crate::client::Client;
use crate::output::{self, Column};
use serde_json::{Value, json};

/// What to do with jobs.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Create a job
    Create(Create),
    /// Show a job
    Get {
        /// The job's id
        id: String,
    },
    /// List jobs, newest first
    List {
        /// Only jobs in these states, separated by commas
        #[arg(long)]
        state: Option<String>,
        /// Only jobs of this queue
        #[arg(long)]
        queue: Option<String>,
        /// Only jobs of this template
        #[arg(long)]
        template: Option<String>,
        /// Only jobs with this external id
        #[arg(long)]
        external_id: Option<String>,
        /// Only jobs whose metadata has this, as key:value
        #[arg(long)]
        tag: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show the attempts at a job
    Executions {
        /// The job's id
        id: String,
    },
    /// Call a job off
    Cancel {
        /// The job's id
        id: String,
    },
    /// Run a job again: a retrying one at once, an ended one as a new job
    Retry {
        /// The job's id
        id: String,
    },
    /// Run a scheduled or retrying job at once
    RunNow {
        /// The job's id
        id: String,
    },
}

/// A job to create.
#[derive(Debug, clap::Args)]
pub struct Create {
    /// Webhook to call
    #[arg(long, value_name = "URL", conflicts_with = "json", required_unless_present_any = ["json", "noop"])]
    webhook: Option<String>,
    /// Do nothing, successfully
    #[arg(long, conflicts_with_all = ["webhook", "json"])]
    noop: bool,
    /// Payload: JSON, @file, or - for standard input
    #[arg(long)]
    payload: Option<String>,
    /// Queue
    #[arg(long)]
    queue: Option<String>,
    /// Priority, 0 (first) to 9
    #[arg(long)]
    priority: Option<u8>,
    /// When to run, an RFC 3339 time
    #[arg(long)]
    run_at: Option<String>,
    /// Seconds to wait instead
    #[arg(long)]
    delay: Option<f64>,
    /// Attempts in all
    #[arg(long)]
    max_attempts: Option<u32>,
    /// The whole body instead: JSON, @file, or -
    #[arg(long)]
    json: Option<String>,
}

impl Create {
    fn body(&self) -> anyhow::Result<Value> {
        if let Some(json) = &self.json {
            return super::read_json(json);
        }
        let target = match &self.webhook {
            Some(url) => json!({"kind": "http", "url": url}),
            None => json!({"kind": "noop"}),
        };
        let mut body = json!({ "target": target });
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                body[name] = value;
            }
        };
        set("payload", self.payload.as_deref().map(super::read_json).transpose()?);
        set("queue", self.queue.clone().map(Value::from));
        set("priority", self.priority.map(Value::from));
        set("run_at", self.run_at.clone().map(Value::from));
        set("delay_seconds", self.delay.map(Value::from));
        set("max_attempts", self.max_attempts.map(Value::from));
        Ok(body)
    }
}

const COLUMNS: &[Column] = &[
    ("id", "/id"),
    ("state", "/state"),
    ("queue", "/queue"),
    ("prio", "/priority"),
    ("attempt", "/attempt"),
    ("run at", "/run_at"),
    ("finished", "/finished_at"),
    ("last error", "/last_error"),
];

const EXECUTION_COLUMNS: &[Column] = &[
    ("attempt", "/attempt"),
    ("outcome", "/outcome"),
    ("started", "/started_at"),
    ("ms", "/duration_ms"),
    ("status", "/response_status"),
    ("error", "/error"),
    ("response", "/response_body"),
];

/// Runs the command.
pub async fn run(command: Command, globals: &Globals) -> anyhow::Result<()> {
    let client = Client::new(globals)?;
    let act = async |id: &str, verb: &str| client.post(&format!("/v1/jobs/{id}/{verb}"), &json!({})).await;
    match command {
        Command::Create(create) => output::item(globals.output, &client.post("/v1/jobs", &create.body()?).await?),
        Command::Get { id } => output::item(globals.output, &client.get(&format!("/v1/jobs/{id}"), &[]).await?),
        Command::List { state, queue, template, external_id, tag, paging } => {
            let mut query = paging.query();
            let filters = [
                ("state", state),
                ("queue", queue),
                ("template_id", template),
                ("external_id", external_id),
                ("tag", tag),
            ];
            query.extend(filters.into_iter().filter_map(|(name, value)| Some((name, value?))));
            output::list(globals.output, &client.get("/v1/jobs", &query).await?, COLUMNS);
        }
        Command::Executions { id } => {
            let answer = client.get(&format!("/v1/jobs/{id}/executions"), &[]).await?;
            output::list(globals.output, &answer, EXECUTION_COLUMNS);
        }
        Command::Cancel { id } => output::item(globals.output, &act(&id, "cancel").await?),
        Command::Retry { id } => output::item(globals.output, &act(&id, "retry").await?),
        Command::RunNow { id } => output::item(globals.output, &act(&id, "run-now").await?),
    }
    Ok(())
}
