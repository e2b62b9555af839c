//! The lines of an expression: `NAME;PARAM=VALUE:VALUE`, folded or not.

use super::super::words::quoted;

/// Longest expression, in bytes.
pub(in super::super) const MAX_LENGTH: usize = 16_384;

/// One property.
#[derive(Debug)]
pub(in super::super) struct Line {
    /// From 1, folded lines counted as one.
    pub(in super::super) number: usize,
    /// In capitals.
    pub(in super::super) name: String,
    /// Names in capitals, with their values.
    pub(in super::super) params: Vec<(String, String)>,
    pub(in super::super) value: String,
    /// Characters before the value.
    pub(in super::super) offset: usize,
}

impl Line {
    /// A sentence about this line.
    pub(in super::super) fn problem(&self, detail: &str) -> String {
        format!("line {} ({}): {detail}", self.number, self.name)
    }

    /// A sentence about a character of the value, counted from 0.
    pub(in super::super) fn problem_at(&self, at: usize, detail: &str) -> String {
        format!("line {} ({}), character {}: {detail}", self.number, self.name, self.offset + at + 1)
    }

    /// A parameter's value.
    pub(in super::super) fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Splits an expression into its lines. The error is a sentence.
pub(super) fn lines(expression: &str) -> Result<Vec<Line>, String> {
    if expression.len() > MAX_LENGTH {
        return Err(format!("the expression has {} bytes; allowed are {MAX_LENGTH}", expression.len()));
    }
    if let Some((char, at)) = expression.chars().zip(1..).find(|(char, _)| !char.is_ascii()) {
        return Err(format!("character {at}: {char:?} is not allowed; expressions are plain ASCII"));
    }
    let unfolded = unfolded(expression);
    // No value of these properties has a blank in it, so that one line is as good as several.
    let words = unfolded.split_ascii_whitespace().zip(1..);
    words.map(|(text, number)| line(text, number)).collect()
}

/// Joins the lines that begin with a blank to the ones before them.
pub(in super::super) fn unfolded(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    text.replace("\n ", "").replace("\n\t", "")
}

fn line(text: &str, number: usize) -> Result<Line, String> {
    if text.to_ascii_uppercase().starts_with("FREQ=") {
        return Ok(Line { number, name: "RRULE".to_owned(), params: Vec::new(), value: text.to_owned(), offset: 0 });
    }
    property(text, number).ok_or_else(|| {
        format!("line {number}: {} is no property; allowed are forms such as RRULE:FREQ=DAILY", quoted(text))
    })
}

/// One unfolded line; `None` when it has no colon.
pub(in super::super) fn property(text: &str, number: usize) -> Option<Line> {
    let mut in_quotes = false;
    let colon = text.bytes().position(|byte| {
        in_quotes ^= byte == b'"';
        byte == b':' && !in_quotes
    })?;
    let mut parts = text[..colon].split(';');
    let name = parts.next()?.to_ascii_uppercase();
    let params = parts.map(|part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (name.to_ascii_uppercase(), value.trim_matches('"').to_owned())
    });
    let params = params.collect();
    Some(Line { number, name, params, value: text[colon + 1..].to_owned(), offset: colon + 1 })
}
