//! Variables in the texts of a template's jobs: `{{scheduled_for}}` and its like, in strings of the payload, in the URL and
//! in the values of headers.
//!
//! They get their values in two steps. When an occurrence becomes a job everything is known but the number of the
//! attempt ([`at_birth`]); that one, and the escape `{{{{` (a plain `{{`), are resolved when an attempt starts
//! ([`at_start`]). A name that is unknown is refused when the template is made ([`check`]) and left as it stands
//! otherwise: nothing that is stored already can fail here. Jobs that come from no template are never looked at.

mod pieces;
mod strings;
mod values;

use super::{FieldError, JobSpec, Target};
use pieces::{Piece, pieces};
use serde_json::value::RawValue;
use std::borrow::Cow;
use strings::string_values;

pub use pieces::Variable;
pub use values::Values;

/// What text without variables lacks, so that most texts cost one look.
const OPEN: &str = "{{";

/// Everything unknown in the variables of JSON text; pointers are relative to it.
pub fn check(json: &str) -> Vec<FieldError> {
    if !json.contains(OPEN) {
        return Vec::new();
    }
    let refused = |string: strings::StringValue<'_>| {
        let wrong: Vec<_> = pieces(string.text).filter_map(refusal).collect();
        wrong.into_iter().map(move |detail| FieldError::new(string.pointer.clone(), detail))
    };
    string_values(json).flat_map(refused).collect()
}

/// Whether JSON text, which is stored as it is, holds anything that [`at_birth`] would replace.
pub fn differs_by_occurrence(json: &str) -> bool {
    let rendered = |piece| matches!(piece, Piece::Variable { variable, .. } if variable != Variable::Attempt);
    json.contains(OPEN) && string_values(json).any(|string| pieces(string.text).any(rendered))
}

/// JSON text with every variable but `attempt` replaced. The values are plain letters, digits and punctuation that no JSON
/// string and no URL has to escape.
pub fn at_birth<'a>(json: &'a str, values: &Values) -> Cow<'a, str> {
    replaced(json, |text| {
        rendered(text, |piece| match piece {
            Piece::Variable { variable, .. } => values.of(variable),
            _ => None,
        })
    })
}

/// Replaces the variables of a job that is not stored yet, all but `attempt`.
pub fn fill_at_birth(job: &mut JobSpec, values: &Values) {
    let born = |text: &str| {
        rendered(text, |piece| match piece {
            Piece::Variable { variable, .. } => values.of(variable),
            _ => None,
        })
        .into_owned()
    };
    if let Cow::Owned(target) = changed(&job.target, |text| Cow::Owned(born(text))) {
        job.target = target;
    }
    if let Some(raw) = &mut job.payload
        && let Cow::Owned(text) = at_birth(raw.get(), values)
        && let Ok(filled) = RawValue::from_string(text)
    {
        *raw = filled;
    }
}

/// Whether a job has variables.
pub fn has_variables(job: &JobSpec) -> bool {
    let in_target = matches!(&job.target, Target::Http(http) if http.url.contains(OPEN)
        || http.headers.values().any(|value| value.contains(OPEN)));
    in_target || job.payload.as_ref().is_some_and(|raw| differs_by_occurrence(raw.get()))
}

/// JSON text as the attempt of this number sends it.
pub fn at_start(json: &str, attempt: i32) -> Cow<'_, str> {
    replaced(json, |text| started(text, attempt))
}

/// A target as the attempt of this number calls it.
pub fn target_at_start(target: &Target, attempt: i32) -> Cow<'_, Target> {
    changed(target, |text| started(text, attempt))
}

/// A target with an example in the place of each variable, to be judged in place of the real ones.
pub fn with_examples(target: &Target) -> Cow<'_, Target> {
    let example = Values::example();
    changed(target, |text| {
        rendered(text, |piece| match piece {
            Piece::Variable { variable, .. } => values_or_attempt(&example, variable),
            _ => None,
        })
    })
}

fn values_or_attempt(values: &Values, variable: Variable) -> Option<String> {
    values.of(variable).or_else(|| Some("1".to_owned()))
}

fn started(text: &str, attempt: i32) -> Cow<'_, str> {
    rendered(text, |piece| match piece {
        Piece::Variable { variable: Variable::Attempt, .. } => Some(attempt.to_string()),
        Piece::Escape => Some(OPEN.to_owned()),
        _ => None,
    })
}

/// The texts of a target in which variables may stand, each replaced.
fn changed<'a>(target: &'a Target, text: impl Fn(&str) -> Cow<'_, str>) -> Cow<'a, Target> {
    let Target::Http(http) = target else { return Cow::Borrowed(target) };
    if !http.url.contains(OPEN) && !http.headers.values().any(|value| value.contains(OPEN)) {
        return Cow::Borrowed(target);
    }
    let mut http = http.clone();
    http.url = text(&http.url).into_owned();
    for value in http.headers.values_mut() {
        *value = text(value).into_owned();
    }
    Cow::Owned(Target::Http(http))
}

/// JSON text with the inside of each string value replaced; names of members stay.
fn replaced<'a>(json: &'a str, inside: impl Fn(&str) -> Cow<'_, str>) -> Cow<'a, str> {
    if !json.contains(OPEN) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 64);
    let mut copied = 0;
    for string in string_values(json) {
        out.push_str(&json[copied..string.start]);
        out.push_str(&inside(string.text));
        copied = string.start + string.text.len();
    }
    out.push_str(&json[copied..]);
    Cow::Owned(out)
}

/// Text with the pieces replaced for which there is a value.
fn rendered(text: &str, value: impl Fn(Piece<'_>) -> Option<String>) -> Cow<'_, str> {
    if !text.contains(OPEN) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 32);
    for piece in pieces(text) {
        match value(piece) {
            Some(value) => out.push_str(&value),
            None => out.push_str(piece.as_written()),
        }
    }
    Cow::Owned(out)
}

/// What is wrong with a piece, if anything.
fn refusal(piece: Piece<'_>) -> Option<String> {
    const LITERAL: &str = "to send the two braces themselves write {{{{";
    match piece {
        Piece::Unknown { name, .. } => {
            let shown: String = name.chars().take(40).collect();
            let help = match Variable::meant_by(name) {
                Some(near) => format!("did you mean {{{{{}}}}}?", near.name()),
                None => format!("there are {}", Variable::names()),
            };
            Some(format!("{{{{{shown}}}}} is no variable: {help} ({LITERAL})"))
        }
        Piece::Unclosed(_) => Some(format!("{{{{ begins a variable that no }}}} ends; {LITERAL}")),
        Piece::Text(_) | Piece::Escape | Piece::Variable { .. } => None,
    }
}

#[cfg(test)]
mod tests;
