//! `scheduler cron`

use crate::cli::Globals;
use crate::output::{self, Format};
use anyhow::{Context as _, bail};
use chrono::{DateTime, Utc};
use scheduler_core::clock::Clock;
use scheduler_core::domain::TemplateId;
use scheduler_core::schedule::{EvalContext, Occurrence, Schedule};
use serde_json::{Value, json};

/// What to do with cron expressions.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Say in words and times when an expression fires; needs no server
    Explain {
        /// The expression: five fields, or six with seconds first; or any schedule as JSON ({"kind":"rrule",…})
        expression: String,
        /// Time zone of an expression
        #[arg(long, default_value = "UTC")]
        tz: String,
        /// The template whose id decides what H means
        #[arg(long, value_name = "ID")]
        template: Option<TemplateId>,
        /// How many times to show
        #[arg(long, default_value_t = 5)]
        count: usize,
        /// Show times after this one [default: now]
        #[arg(long)]
        from: Option<DateTime<Utc>>,
    },
}

/// Runs the command.
pub fn run(command: Command, globals: &Globals) -> anyhow::Result<()> {
    let Command::Explain { expression, tz, template, count, from } = command;
    let schedule = match Schedule::parse(&definition(&expression, &tz)?) {
        Ok(schedule) => schedule,
        Err(errors) => {
            let lines: Vec<_> = errors
                .iter()
                .map(|error| format!("{}: {}", error.pointer.trim_start_matches('/'), error.detail))
                .collect();
            bail!("this expression is not understood\n  {}", lines.join("\n  "));
        }
    };
    // The same computer asks and is answered: its own clock will do.
    let from = from.unwrap_or_else(|| Clock::local().now());
    let names = schedule.calendar_names();
    if !names.is_empty() {
        bail!("the calendars ({}) are on the server: ask it for a preview", names.join(", "));
    }
    let description = template.map_or_else(|| schedule.describe(), |id| schedule.describe_for(id.0));
    let context = EvalContext::new(from, template.map_or(uuid::Uuid::nil(), |id| id.0));
    let times = occurrences(&schedule, from, &context, count);
    if globals.output == Format::Json {
        output::json(&json!({ "description": description, "occurrences": times, "warnings": schedule.warnings(from) }));
        return Ok(());
    }
    output::line(&description);
    output::list(
        globals.output,
        &Value::Array(times),
        &[("UTC", "/at"), ("local", "/local"), ("note", "/note"), ("left out", "/suppressed")],
    );
    for warning in schedule.warnings(from) {
        output::line(format_args!("note: {warning}"));
    }
    Ok(())
}

/// A schedule as it is, or an expression as one.
fn definition(expression: &str, tz: &str) -> anyhow::Result<Value> {
    if expression.trim_start().starts_with('{') {
        return serde_json::from_str(expression).context("this is no JSON");
    }
    Ok(json!({ "kind": "cron", "expression": expression, "timezone": tz }))
}

fn occurrences(schedule: &Schedule, from: DateTime<Utc>, context: &EvalContext<'_>, count: usize) -> Vec<Value> {
    let shown = |next: Occurrence| {
        let local = next.at.with_timezone(&schedule.timezone());
        json!({ "at": next.at, "local": local.to_rfc3339(), "note": next.note, "suppressed": next.suppressed })
    };
    schedule.occurrences(from, context).take(count).map(shown).collect()
}
