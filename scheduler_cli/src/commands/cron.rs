//! `scheduler cron`

use crate::cli::Globals;
use crate::output::{self, Format};
use anyhow::bail;
use chrono::{DateTime, Utc};
use scheduler_core::clock::Clock;
use scheduler_core::schedule::{EvalContext, Schedule};
use serde_json::{Value, json};

/// What to do with cron expressions.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Say in words and times when an expression fires; needs no server
    Explain {
        /// The expression: five fields, or six with seconds first
        expression: String,
        /// Time zone
        #[arg(long, default_value = "UTC")]
        tz: String,
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
    let Command::Explain { expression, tz, count, from } = command;
    let schedule = match Schedule::parse(&json!({ "kind": "cron", "expression": expression, "timezone": tz })) {
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
    let times = occurrences(&schedule, from, count);
    if globals.output == Format::Json {
        output::json(
            &json!({ "description": schedule.describe(), "occurrences": times, "warnings": schedule.warnings(from) }),
        );
        return Ok(());
    }
    output::line(format_args!("{}", schedule.describe()));
    output::list(globals.output, &Value::Array(times), &[("UTC", "/at"), ("local", "/local"), ("note", "/note")]);
    for warning in schedule.warnings(from) {
        output::line(format_args!("note: {warning}"));
    }
    Ok(())
}

fn occurrences(schedule: &Schedule, from: DateTime<Utc>, count: usize) -> Vec<Value> {
    let context = EvalContext::new(from, uuid::Uuid::nil());
    let mut times = Vec::new();
    let mut after = from;
    while times.len() < count {
        let Some(next) = schedule.next_after(after, &context) else { break };
        let local = next.at.with_timezone(&schedule.timezone());
        times.push(json!({ "at": next.at, "local": local.to_rfc3339(), "note": next.note }));
        after = next.at;
    }
    times
}
