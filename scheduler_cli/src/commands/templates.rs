//! `scheduler templates`

use super::Paging;
use crate::cli::Globals;
use crate::client::Client;
use crate::declarative::{remote, show};
use crate::output::{self, Column};
use anyhow::Context as _;
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
        /// What becomes of it while other jobs of the template are live [default: allow_all]
        #[arg(long, value_parser = ["skip", "buffer_one", "buffer_all", "cancel_other", "terminate_other", "allow_all"])]
        overlap: Option<String>,
    },
    /// Delete it
    Delete {
        /// Its id
        id: String,
    },
    /// Show what happened at its times, and what is planned
    Occurrences(Occurrences),
    /// Do not run one of its occurrences
    Skip(One),
    /// Run an occurrence after all, or at its own time again
    Unskip(One),
    /// Start one of its occurrences at another time
    Move {
        #[command(flatten)]
        one: One,
        /// When, such as 2027-01-31T13:30:00Z
        #[arg(long)]
        to: String,
    },
    /// Say why it did or did not run at a time
    Explain {
        /// Its id or name
        template: String,
        /// The time, such as 2027-01-31T09:00:00Z
        at: String,
    },
    /// Show when a schedule would fire
    Preview(Preview),
    /// List its versions, latest first
    Versions {
        /// Its id or name
        template: String,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show what changed between two versions
    Diff {
        /// Its id or name
        template: String,
        /// The earlier version [default: the one before the later]
        #[arg(long)]
        from: Option<i32>,
        /// The later version [default: the present one]
        #[arg(long)]
        to: Option<i32>,
    },
    /// Make an earlier version's definition a new version
    Rollback {
        /// Its id or name
        template: String,
        /// The version to go back to
        #[arg(value_name = "VERSION")]
        number: i32,
    },
}

/// Which of a template's occurrences.
#[derive(Debug, clap::Args)]
pub struct One {
    /// The template's id or name
    template: String,
    /// The occurrence of this nominal time
    #[arg(long, required_unless_present = "next", conflicts_with = "next")]
    at: Option<String>,
    /// The next one
    #[arg(long)]
    next: bool,
    /// Show what it would be, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Which occurrences to show.
#[derive(Debug, clap::Args)]
pub struct Occurrences {
    /// Its id or name
    template: String,
    /// The earliest nominal time
    #[arg(long)]
    from: Option<String>,
    /// The latest nominal time; if it lies ahead, what is planned is shown, too
    #[arg(long)]
    to: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

/// What to preview.
#[derive(Debug, clap::Args)]
pub struct Preview {
    /// The schedule: JSON, @file, or -
    schedule: String,
    /// How many times
    #[arg(long, default_value_t = 10)]
    count: u32,
    /// Show times after this one [default: now]
    #[arg(long)]
    from: Option<String>,
    /// Another time zone to show them in
    #[arg(long, value_name = "ZONE")]
    second_timezone: Option<String>,
    /// Show also times that do not run, with the reason
    #[arg(long)]
    suppressed: bool,
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
const OCCURRENCE_COLUMNS: &[Column] = &[
    ("nominal time", "/at"),
    ("outcome", "/outcome"),
    ("reason", "/reason"),
    ("moved to", "/moved_to"),
    ("lag (s)", "/lag_seconds"),
    ("job", "/job_id"),
    ("version", "/version"),
];
const VERSION_COLUMNS: &[Column] = &[
    ("version", "/version"),
    ("from", "/created_at"),
    ("active", "/active"),
    ("name", "/name"),
    ("schedule", "/schedule"),
];
const ATTEMPT_COLUMNS: &[Column] = &[
    ("attempt", "/attempt"),
    ("started", "/started_at"),
    ("outcome", "/outcome"),
    ("status", "/response_status"),
    ("error", "/error"),
];

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
        Command::Trigger { id, overlap } => {
            let body = overlap.map_or_else(|| json!({}), |overlap| json!({ "overlap": overlap }));
            output::item(globals.output, &client.post(&format!("/v1/templates/{id}/trigger"), &body).await?);
        }
        Command::Delete { id } => {
            client.delete(&format!("/v1/templates/{id}")).await?;
            output::line(format_args!("deleted {id}"));
        }
        Command::Occurrences(wanted) => occurrences(&client, globals, wanted).await?,
        Command::Skip(one) => change_one(&client, globals, one, "skip", json!({})).await?,
        Command::Unskip(one) => change_one(&client, globals, one, "unskip", json!({})).await?,
        Command::Move { one, to } => change_one(&client, globals, one, "move", json!({ "to": to })).await?,
        Command::Explain { template, at } => explain(&client, globals, &template, at).await?,
        Command::Preview(wanted) => {
            let body = json!({
                "schedule": super::read_json(&wanted.schedule)?, "count": wanted.count, "from": wanted.from,
                "second_timezone": wanted.second_timezone, "include_suppressed": wanted.suppressed,
            });
            preview(globals, &client.post("/v1/templates/preview", &body).await?);
        }
        Command::Versions { template, paging } => {
            let path = format!("{}/versions", path_of(&client, &template).await?);
            output::list(globals.output, &client.get(&path, &paging.query()).await?, VERSION_COLUMNS);
        }
        Command::Diff { template, from, to } => diff(&client, globals, &template, from, to).await?,
        Command::Rollback { template, number } => {
            let path = format!("{}/rollback", path_of(&client, &template).await?);
            output::item(globals.output, &client.post(&path, &json!({ "version": number })).await?);
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

/// The path of a template that was named by its id or its name.
pub(super) async fn path_of(client: &Client, template: &str) -> anyhow::Result<String> {
    if template.parse::<uuid::Uuid>().is_ok() {
        return Ok(format!("/v1/templates/{template}"));
    }
    let found = remote::template(client, template).await?;
    let found = found.with_context(|| format!("there is no template with the name or id `{template}`"))?;
    Ok(format!("/v1/templates/{}", remote::text(&found, "id")))
}

async fn occurrences(client: &Client, globals: &Globals, wanted: Occurrences) -> anyhow::Result<()> {
    let mut query = wanted.paging.query();
    query.extend(wanted.from.map(|from| ("from", from)));
    query.extend(wanted.to.map(|to| ("to", to)));
    let path = format!("{}/occurrences", path_of(client, &wanted.template).await?);
    output::list(globals.output, &client.get(&path, &query).await?, OCCURRENCE_COLUMNS);
    Ok(())
}

async fn change_one(client: &Client, globals: &Globals, one: One, verb: &str, body: Value) -> anyhow::Result<()> {
    let at = one.at.unwrap_or_else(|| "next".to_owned());
    let query = if one.dry_run { "?dry_run=true" } else { "" };
    let path = format!("{}/occurrences/{at}/{verb}{query}", path_of(client, &one.template).await?);
    output::item(globals.output, &client.post(&path, &body).await?);
    Ok(())
}

async fn explain(client: &Client, globals: &Globals, template: &str, at: String) -> anyhow::Result<()> {
    let path = format!("{}/explain", path_of(client, template).await?);
    let answer = client.get(&path, &[("at", at)]).await?;
    if globals.output == output::Format::Json {
        output::json(&answer);
        return Ok(());
    }
    output::line(remote::text(&answer, "sentence"));
    if answer["attempts"].as_array().is_some_and(|attempts| !attempts.is_empty()) {
        output::list(globals.output, &answer["attempts"], ATTEMPT_COLUMNS);
    }
    Ok(())
}

async fn diff(
    client: &Client,
    globals: &Globals,
    template: &str,
    from: Option<i32>,
    to: Option<i32>,
) -> anyhow::Result<()> {
    let given = [("from", from), ("to", to)].into_iter();
    let query: Vec<_> = given.filter_map(|(name, version)| Some((name, version?.to_string()))).collect();
    let answer = client.get(&format!("{}/diff", path_of(client, template).await?), &query).await?;
    if globals.output == output::Format::Json {
        output::json(&answer);
        return Ok(());
    }
    output::line(format_args!("version {} to version {}", answer["from"], answer["to"]));
    let changes = answer["changes"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (_, line) in changes.iter().flat_map(show::change) {
        output::line(line);
    }
    if changes.is_empty() {
        output::line("no difference");
    }
    Ok(())
}

fn preview(globals: &Globals, answer: &Value) {
    if globals.output == output::Format::Json {
        return output::json(answer);
    }
    if let Some(words) = answer.get("description").and_then(Value::as_str) {
        output::line(format_args!("{words}"));
    }
    // Columns that only some previews have.
    let rows = answer["occurrences"].as_array().map(Vec::as_slice).unwrap_or_default();
    let has = |member: &str| rows.iter().any(|row| row.get(member).is_some());
    let second = answer["second_timezone"].as_str().unwrap_or_default();
    let mut columns = vec![("UTC", "/at"), ("local", "/local")];
    columns.extend(has("second_local").then_some((second, "/second_local")));
    columns.push(("note", "/note"));
    columns.extend(has("suppressed").then_some(("does not run", "/suppressed")));
    columns.extend(has("rolled_from").then_some(("moved from", "/rolled_from")));
    output::list(globals.output, &answer["occurrences"], &columns);
    for warning in answer["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        output::line(format_args!("note: {warning}"));
    }
}
