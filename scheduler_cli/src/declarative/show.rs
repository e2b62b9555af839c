//! A plan for people, in colour where the output is a terminal, and for programs.

use super::plan::{Action, Step};
use serde_json::{Value, json};
use std::io::IsTerminal as _;

/// Characters of a value in a line.
const WIDEST: usize = 100;

/// Whether to use colours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Color {
    /// If standard output is a terminal and NO_COLOR is not set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    fn is_on(self) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => std::env::var_os("NO_COLOR").is_none() && std::io::stdout().is_terminal(),
        }
    }
}

const GREEN: &str = "32";
const YELLOW: &str = "33";
const RED: &str = "31";

/// The lines of a plan.
pub fn lines(steps: &[Step], color: Color) -> Vec<String> {
    let on = color.is_on();
    let paint = |code: &str, text: String| if on { format!("\x1b[{code}m{text}\x1b[0m") } else { text };
    let mut lines = Vec::new();
    for step in steps {
        let what = format!("{} {}", step.kind.word(), step.name);
        match &step.action {
            Action::Keep => continue,
            Action::Create => lines.push(paint(GREEN, format!("+ {what}"))),
            Action::Delete => lines.push(paint(RED, format!("- {what}"))),
            Action::Change(changes) => {
                lines.push(paint(YELLOW, format!("~ {what}")));
                lines.extend(changes.iter().flat_map(change).map(|(code, line)| paint(code, line)));
            }
        }
        lines.extend(step.occurrences.as_ref().and_then(occurrences).map(|line| format!("    {line}")));
    }
    lines.push(summary(steps));
    lines
}

/// One change of a member, as the line that goes and the line that comes, each with the code of its colour.
pub fn change(change: &Value) -> Vec<(&'static str, String)> {
    let path = change.get("path").and_then(Value::as_str).unwrap_or_default();
    let side =
        |sign: &str, member: &str| change.get(member).map(|value| format!("    {sign} {path}: {}", short(value)));
    let removed = side("-", "from").map(|line| (RED, line));
    let added = side("+", "to").map(|line| (GREEN, line));
    removed.into_iter().chain(added).collect()
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= WIDEST { text } else { text.chars().take(WIDEST).chain("…".chars()).collect() }
}

/// What becomes of the next occurrences, if anything does.
fn occurrences(found: &Value) -> Option<String> {
    let count = |name: &str| found.get(name).and_then(Value::as_array).map_or(0, Vec::len);
    let parts: Vec<String> = ["added", "removed", "moved"]
        .into_iter()
        .filter(|name| count(name) > 0)
        .map(|name| format!("{} {name}", count(name)))
        .collect();
    let until = found.pointer("/to").and_then(Value::as_str).unwrap_or_default();
    let changed = (!parts.is_empty()).then(|| format!("occurrences until {until}: {}", parts.join(", ")));
    let lost = count("lost");
    let lost = (lost > 0).then(|| format!("{lost} skipped or moved ones are no times of it any more"));
    let all: Vec<String> = changed.into_iter().chain(lost).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

fn count(steps: &[Step], wanted: impl Fn(&Action) -> bool) -> usize {
    steps.iter().filter(|step| wanted(&step.action)).count()
}

/// How much is to be done.
fn summary(steps: &[Step]) -> String {
    format!(
        "{} to create, {} to change, {} to delete, {} unchanged",
        count(steps, |it| *it == Action::Create),
        count(steps, |it| matches!(it, Action::Change(_))),
        count(steps, |it| *it == Action::Delete),
        count(steps, |it| *it == Action::Keep),
    )
}

/// The plan for programs.
pub fn value(steps: &[Step]) -> Value {
    let shown = |step: &Step| {
        let (action, changes) = match &step.action {
            Action::Create => ("create", &[][..]),
            Action::Change(changes) => ("change", changes.as_slice()),
            Action::Delete => ("delete", &[][..]),
            Action::Keep => ("keep", &[][..]),
        };
        json!({"kind": step.kind.word(), "name": step.name, "action": action, "changes": changes, "occurrences": step.occurrences})
    };
    Value::Array(steps.iter().map(shown).collect())
}
