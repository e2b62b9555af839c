//! Answers as tables for people or JSON for programs.

use comfy_table::{ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};
use serde_json::Value;

/// How to print.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// For programs: the API's own answer.
    Json,
}

/// Fields that stand first when one thing is shown.
const FIRST: [&str; 9] = ["id", "name", "state", "reason", "attempt", "max_attempts", "last_error", "queue", "run_at"];

/// A column: its title, and the JSON pointer of its value in a row.
pub type Column<'a> = (&'a str, &'a str);

/// Prints a list answer (`data`, `next_cursor`) or an array.
pub fn list(format: Format, answer: &Value, columns: &[Column<'_>]) {
    if format == Format::Json {
        return json(answer);
    }
    let rows = answer.get("data").unwrap_or(answer).as_array().map(Vec::as_slice).unwrap_or_default();
    if rows.is_empty() {
        return line("none");
    }
    let mut table = new_table();
    table.set_header(columns.iter().map(|(title, _)| *title));
    for row in rows {
        table.add_row(columns.iter().map(|(_, pointer)| cell(row.pointer(pointer))));
    }
    line(format_args!("{table}"));
    if let Some(cursor) = answer.get("next_cursor").and_then(Value::as_str) {
        line(format_args!("more: --cursor {cursor}"));
    }
}

/// Prints one thing, a field a line.
pub fn item(format: Format, answer: &Value) {
    let Value::Object(fields) = answer else {
        return json(answer);
    };
    if format == Format::Json {
        return json(answer);
    }
    let mut rows: Vec<_> = fields.iter().filter(|(_, value)| !value.is_null()).collect();
    // What a person looks for first stands first; the rest by name.
    rows.sort_by_key(|(name, _)| FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()));
    let mut table = new_table();
    for (name, value) in rows {
        table.add_row([name.clone(), cell(Some(value))]);
    }
    line(format_args!("{table}"));
}

/// Prints JSON.
pub fn json(value: &Value) {
    line(format_args!("{value:#}"));
}

/// Prints a line. A reader that has gone away (`| head`) ends the command quietly: what was asked has been done.
pub fn line(text: impl std::fmt::Display) {
    use std::io::Write as _;
    if writeln!(std::io::stdout(), "{text}").is_err() {
        std::process::exit(0);
    }
}

/// Prints a line beside the answer, for people.
pub fn note(text: impl std::fmt::Display) {
    eprintln!("{text}");
}

fn new_table() -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "–".to_owned(),
        Some(Value::String(text)) => shorten(text.trim_end()),
        Some(other) => other.to_string(),
    }
}

/// A time without what a table has no room for: microseconds.
fn shorten(text: &str) -> String {
    let time = text
        .split_once('.')
        .filter(|(head, tail)| head.len() == 19 && head.as_bytes()[10] == b'T' && tail.ends_with('Z'));
    match time {
        Some((head, fraction)) => format!("{head}.{:.3}Z", fraction.trim_end_matches('Z')),
        None => text.to_owned(),
    }
}
