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

/// A column: its title, and the JSON pointer of its value in a row.
pub type Column = (&'static str, &'static str);

/// Prints a list answer (`data`, `next_cursor`) or an array.
pub fn list(format: Format, answer: &Value, columns: &[Column]) {
    if format == Format::Json {
        return json(answer);
    }
    let rows = answer.get("data").unwrap_or(answer).as_array().map(Vec::as_slice).unwrap_or_default();
    if rows.is_empty() {
        println!("none");
        return;
    }
    let mut table = new_table();
    table.set_header(columns.iter().map(|(title, _)| *title));
    for row in rows {
        table.add_row(columns.iter().map(|(_, pointer)| cell(row.pointer(pointer))));
    }
    println!("{table}");
    if let Some(cursor) = answer.get("next_cursor").and_then(Value::as_str) {
        println!("more: --cursor {cursor}");
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
    let mut table = new_table();
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        table.add_row([name.clone(), cell(Some(value))]);
    }
    println!("{table}");
}

/// Prints JSON.
pub fn json(value: &Value) {
    println!("{value:#}");
}

fn new_table() -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "–".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
