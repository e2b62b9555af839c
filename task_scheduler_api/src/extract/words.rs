//! Refusals of the decoding library in the words of this API.

use super::strict::{OBJECT, is_object};
use super::time::NO_TIME;
use std::borrow::Cow;

/// The longest part of a caller's text that is shown to it again, in characters.
const SHOWN: usize = 64;

/// Sentences of the library of times.
const BAD_TIMES: [&str; 6] = [
    "premature end of input",
    "input contains invalid characters",
    "input is out of range",
    "input is not enough for unique date and time",
    "no possible date and time matching input",
    "trailing input",
];

/// "expected a whole number, found `high`" instead of a sentence about types of the programming language.
pub fn plain(message: &str) -> Cow<'_, str> {
    if BAD_TIMES.contains(&message) {
        return Cow::Borrowed(NO_TIME);
    }
    if message.starts_with("UUID parsing failed") {
        return Cow::Borrowed("not a UUID such as 0197a2c4-5b1e-7c3d-8f00-0242ac120002");
    }
    // The last one: what was found may be a text that has the words in it.
    let Some((found, wanted)) = message.rsplit_once(", expected ") else { return Cow::Borrowed(message) };
    if let Some(found) = found.strip_prefix("invalid type: ") {
        return Cow::Owned(format!("expected {}, found {}", expected(wanted), unexpected(found)));
    }
    match found.strip_prefix("invalid value: ") {
        Some(found) if expected(wanted) == WHOLE => Cow::Owned(format!("{} is out of range", unexpected(found))),
        Some(found) => Cow::Owned(format!("expected {}, found {}", expected(wanted), unexpected(found))),
        None => Cow::Borrowed(message),
    }
}

const WHOLE: &str = "a whole number";

/// What was expected.
fn expected(name: &str) -> &str {
    match name {
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => WHOLE,
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => WHOLE,
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "an array",
        "a map" => OBJECT,
        "an RFC 3339 formatted date and time string" => "an RFC 3339 time such as 2027-01-31T09:00:00Z",
        name if is_object(name) => OBJECT,
        name if name.contains("UUID") => "a UUID",
        name => name,
    }
}

/// What was found.
fn unexpected(found: &str) -> String {
    let text = match found {
        "map" => OBJECT,
        "sequence" => "an array",
        "null" | "unit value" => "null",
        other => ["boolean ", "integer ", "floating point ", "string "]
            .iter()
            .find_map(|kind| other.strip_prefix(kind))
            .unwrap_or(other),
    };
    let text = text.trim_matches('`');
    if text.chars().count() > SHOWN { text.chars().take(SHOWN).chain("…".chars()).collect() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn no_word_of_the_programming_language_is_left() {
        let cases = [
            ("invalid type: string \"high\", expected i16", "expected a whole number, found \"high\""),
            ("invalid value: integer `70000`, expected i16", "70000 is out of range"),
            ("invalid type: floating point `1.5`, expected u32", "expected a whole number, found 1.5"),
            ("invalid type: null, expected internally tagged enum Target", "expected an object, found null"),
            ("invalid type: sequence, expected struct JobSpec", "expected an object, found an array"),
            ("invalid type: map, expected a sequence", "expected an array, found an object"),
            (
                "invalid type: boolean `true`, expected one of skip, allow_all",
                "expected one of skip, allow_all, found true",
            ),
            (
                "invalid type: string \"a, expected b\", expected a boolean",
                "expected true or false, found \"a, expected b\"",
            ),
            ("premature end of input", "not an RFC 3339 time such as 2027-01-31T09:00:00Z"),
            ("is given more than once", "is given more than once"),
        ];
        for (message, words) in cases {
            assert_eq!(plain(message), words);
        }
        let long = format!("invalid type: string \"{}\", expected f64", "x".repeat(10_000));
        assert!(plain(&long).len() < 200);
    }
}
