//! JSON to values, with refusals that point at the field and say what to write instead.

use super::strict::Strict;
use super::words::plain;
use crate::problem::Problem;
use axum::http::StatusCode;
use scheduler_core::domain::job_spec::has_nul_escape;
use scheduler_core::domain::target::LATER_KINDS;
use scheduler_core::domain::{FieldError, HttpTarget};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

/// The deepest nesting that is read. Fewer levels than any JSON library of a receiver can take.
const MAX_DEPTH: usize = 100;

/// Decodes a whole body. Syntax is 400 with line and column; wrong types and unknown fields are 422 with a pointer.
pub fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        malformed(format!("the body is not UTF-8 text (first bad byte at offset {})", error.valid_up_to()))
    })?;
    if text.trim_ascii().is_empty() {
        return Err(malformed("the body is empty; send a JSON object".to_owned()));
    }
    if nests_deeper_than(text.as_bytes(), MAX_DEPTH) {
        return Err(malformed(format!("the body nests deeper than {MAX_DEPTH} levels; flatten it")));
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(Strict(&mut reader)).map_err(|error| refuse(text, &error))?;
    reader.end().map_err(|error| malformed(format!("not JSON: {error}")))?;
    refuse_nul(text)?;
    Ok(value)
}

fn malformed(detail: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "malformed_json", detail)
}

/// Brackets outside of strings; counts without recursion.
fn nests_deeper_than(json: &[u8], limit: usize) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in json {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > limit {
            return true;
        }
    }
    false
}

fn refuse(text: &str, error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let inner = error.inner();
    match inner.classify() {
        Category::Syntax | Category::Eof | Category::Io => malformed(format!("not JSON: {inner}")),
        Category::Data => {
            // What is no JSON is said first, wherever in the text it comes.
            if let Err(syntax) = serde_json::from_str::<IgnoredAny>(text) {
                return malformed(format!("not JSON: {syntax}"));
            }
            let at = pointer(error.path());
            let found = inside_target(text, &at).unwrap_or_else(|| explain(&at, &without_position(&inner.to_string())));
            Problem::invalid(vec![found])
        }
    }
}

/// `target` is an enum told apart by `kind`, which hides the path inside it; look again at the target alone.
fn inside_target(text: &str, at: &str) -> Option<FieldError> {
    let document: Value = serde_json::from_str(text).ok()?;
    let mut target = document.pointer(at).filter(|_| at.ends_with("/target"))?.as_object()?.clone();
    if target.get("kind")? != "http" {
        return None;
    }
    target.remove("kind");
    let error = serde_path_to_error::deserialize::<_, HttpTarget>(Value::Object(target)).err()?;
    Some(explain(&format!("{at}{}", pointer(error.path())), &error.inner().to_string()))
}

/// Serde's message in the words of this API.
pub(super) fn explain(at: &str, message: &str) -> FieldError {
    let names = quoted(message);
    if message.starts_with("unknown field") {
        let (name, known) = names.split_first().map_or(("", &[][..]), |(name, known)| (*name, known));
        let at =
            if at.ends_with(&format!("/{}", escape(name))) { at.to_owned() } else { format!("{at}/{}", escape(name)) };
        return FieldError::new(at, unknown_name(name, known));
    }
    if message.starts_with("unknown variant") {
        let (name, known) = names.split_first().map_or(("", &[][..]), |(name, known)| (*name, known));
        let at = if at.ends_with("/target") { format!("{at}/kind") } else { at.to_owned() };
        let detail = if LATER_KINDS.contains(&name) && known.contains(&"http") {
            format!("`{name}` is not available yet; available: {}", known.join(", "))
        } else {
            unknown_name(name, known)
        };
        return FieldError::new(at, detail);
    }
    if let (true, [name]) = (message.starts_with("missing field"), names.as_slice()) {
        return FieldError::new(format!("{at}/{}", escape(name)), "is missing");
    }
    FieldError::new(at, plain(message))
}

/// "`pirority` is not known here; did you mean `priority`?"
pub(super) fn unknown_name(name: &str, known: &[&str]) -> String {
    let near = known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .min()
        .filter(|(distance, known)| *distance <= 1 + known.len() / 4);
    match near {
        Some((_, near)) => format!("`{name}` is not known here; did you mean `{near}`?"),
        None if known.is_empty() => format!("`{name}` is not known here; remove it"),
        None => format!("`{name}` is not known here; allowed: {}", known.join(", ")),
    }
}

/// The names between backticks.
fn quoted(message: &str) -> Vec<&str> {
    message.split('`').skip(1).step_by(2).collect()
}

/// Serde appends the place in the text, which the pointer says better.
fn without_position(message: &str) -> String {
    message.rsplit_once(" at line ").map_or(message, |(head, _)| head).to_owned()
}

/// A path as a JSON pointer.
pub(super) fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => pointer.push_str(&format!("/{}", escape(key))),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// PostgreSQL has no U+0000 in text; say where it is.
fn refuse_nul(text: &str) -> Result<(), Problem> {
    if !has_nul_escape(text) {
        return Ok(());
    }
    let at = serde_json::from_str(text).ok().and_then(|value| find_nul(&value)).unwrap_or_default();
    Err(Problem::invalid_field(at, "contains the character U+0000 (\\u0000), which cannot be stored; remove it"))
}

fn find_nul(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then(String::new),
        Value::Array(items) => items.iter().enumerate().find_map(|(n, item)| Some(format!("/{n}{}", find_nul(item)?))),
        Value::Object(fields) => fields.iter().find_map(|(key, field)| {
            if key.contains('\0') {
                return Some(String::new());
            }
            Some(format!("/{}{}", escape(key), find_nul(field)?))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use scheduler_core::domain::JobSpec;

    fn refused(body: &str) -> Problem {
        json::<JobSpec>(body.as_bytes()).unwrap_err()
    }

    fn field(body: &str) -> (String, String) {
        let problem = refused(body);
        assert_eq!(problem.status, StatusCode::UNPROCESSABLE_ENTITY, "{problem:?}");
        let error = problem.errors.into_iter().next().unwrap();
        (error.pointer, error.detail)
    }

    #[test]
    fn syntax_is_400_with_line_and_column() {
        let problem = refused("{\n  \"target\": }");
        assert_eq!((problem.status, problem.code), (StatusCode::BAD_REQUEST, "malformed_json"));
        assert!(problem.detail.contains("line 2 column 13"), "{}", problem.detail);
        for body in ["", "  ", "{", r#"{"target":{"kind":"noop"}} x"#] {
            assert_eq!(refused(body).status, StatusCode::BAD_REQUEST, "{body}");
        }
    }

    #[test]
    fn wrong_types_are_pointed_at_even_inside_the_target() {
        assert_eq!(field(r#"{"target":{"kind":"noop"},"priority":"high"}"#).0, "/priority");
        assert_eq!(field(r#"{"target":{"kind":"http","url":5}}"#).0, "/target/url");
        assert_eq!(field(r#"{"target":{"kind":"http"}}"#), ("/target/url".into(), "is missing".into()));
        assert_eq!(field(r#"{"target":{"url":"http://a"}}"#), ("/target/kind".into(), "is missing".into()));
        assert_eq!(field("{}"), ("/target".into(), "is missing".into()));
    }

    #[test]
    fn unknown_names_are_answered_with_the_nearest_one() {
        let (at, detail) = field(r#"{"target":{"kind":"noop"},"pirority":1}"#);
        assert_eq!((at.as_str(), detail.contains("did you mean `priority`")), ("/pirority", true), "{detail}");
        let (at, detail) = field(r#"{"target":{"kind":"http","ulr":"http://a"}}"#);
        assert_eq!((at.as_str(), detail.contains("did you mean `url`")), ("/target/ulr", true), "{detail}");
    }

    #[test]
    fn arrays_are_no_objects_and_enums_are_names() {
        let detail = "expected an object, found an array";
        for (body, pointer) in [
            ("[]", ""),
            (r#"["default", 5]"#, ""),
            (r#"{"target":["noop"]}"#, "/target"),
            (r#"{"target":["http",{"url":"http://a"}]}"#, "/target"),
            (r#"{"target":{"kind":"noop"},"backoff":[]}"#, "/backoff"),
        ] {
            assert_eq!(field(body), (pointer.to_owned(), detail.to_owned()), "{body}");
        }
        let wrong = field(r#"{"target":{"kind":"noop"},"run_if":true}"#);
        assert_eq!(wrong, ("/run_if".into(), "expected one of all_succeeded, all_finished, found true".into()));
        assert_eq!(field(r#"{"target":{"kind":"noop"},"run_if":{"all_finished":null}}"#).0, "/run_if");
        assert_eq!(field(r#"{"target":{"kind":"noop"},"backoff":{"jitter":5}}"#).0, "/backoff/jitter");
        assert!(field(r#"{"target":{"kind":"noop"},"run_if":"al_succeeded"}"#).1.contains("did you mean"));
        let lists = r#"{"target":{"kind":"noop"},"payload":[[]],"metadata":{"a":[1,[2]]},"depends_on":[]}"#;
        assert!(json::<JobSpec>(lists.as_bytes()).is_ok());
    }

    #[test]
    fn refusals_speak_of_json_and_times() {
        let said = |fields: &str| field(&format!(r#"{{"target":{{"kind":"noop"}},{fields}}}"#));
        assert_eq!(said(r#""priority":"x""#), ("/priority".into(), "expected a whole number, found \"x\"".into()));
        assert_eq!(said(r#""priority":70000"#), ("/priority".into(), "70000 is out of range".into()));
        for time in [r#""2027""#, r#""soon""#, r#""2027-01-31T09:00:00Z!""#] {
            let (at, detail) = said(&format!(r#""run_at":{time}"#));
            assert_eq!((at.as_str(), detail.contains("RFC 3339")), ("/run_at", true), "{detail}");
        }
        assert!(said(r#""depends_on":["x"]"#).1.contains("UUID"));
        assert_eq!(field(r#"{"target":null}"#), ("/target".into(), "expected an object, found null".into()));
    }

    #[test]
    fn kinds_that_come_later_are_named_as_such() {
        let (at, detail) = field(r#"{"target":{"kind":"grpc"}}"#);
        assert_eq!(
            (at.as_str(), detail.as_str()),
            ("/target/kind", "`grpc` is not available yet; available: http, noop")
        );
        assert!(field(r#"{"target":{"kind":"htp"}}"#).1.contains("did you mean `http`"));
    }

    #[test]
    fn nesting_bombs_and_nul_are_refused() {
        let bomb = format!(r#"{{"target":{{"kind":"noop"}},"payload":{}}}"#, "[".repeat(100_000));
        assert_eq!(refused(&bomb).status, StatusCode::BAD_REQUEST);
        let deep = format!(r#"{{"target":{{"kind":"noop"}},"payload":{}1{}}}"#, "[".repeat(90), "]".repeat(90));
        assert!(json::<JobSpec>(deep.as_bytes()).is_ok());
        let (at, _) = field(r#"{"target":{"kind":"noop"},"payload":{"a":["x\u0000"]}}"#);
        assert_eq!(at, "/payload/a/0");
        assert!(json::<JobSpec>(br#"{"target":{"kind":"noop"},"payload":"\\u0000[[["}"#).is_ok());
    }
}
