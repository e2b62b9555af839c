//! Reading the members of a schedule object, collecting everything that is wrong instead of the first thing.

use serde_json::{Map, Value};

use super::words::{nearest, or_list, quoted};
use super::{KINDS, ScheduleError};

/// The schedule as a JSON object.
pub(super) fn object(value: &Value) -> Result<&Map<String, Value>, Vec<ScheduleError>> {
    value.as_object().ok_or_else(|| {
        vec![ScheduleError::whole(format!(
            "a schedule is an object such as {{\"kind\":\"cron\",\"expression\":\"0 9 * * 1-5\"}}; found {}",
            type_name(value)
        ))]
    })
}

/// The `kind` of a schedule object, not yet checked against what exists.
pub(super) fn kind(object: &Map<String, Value>) -> Result<&str, Vec<ScheduleError>> {
    let problem = match object.get("kind") {
        Some(Value::String(kind)) => return Ok(kind),
        Some(other) => format!("`kind` must be a string, found {}", type_name(other)),
        None => "`kind` is missing".to_owned(),
    };
    Err(vec![ScheduleError::at("kind", format!("{problem}; available: {}", KINDS.join(", ")))])
}

/// The refusal of a kind that does not exist, or not yet.
pub(super) fn unknown_kind(kind: &str) -> ScheduleError {
    let available = KINDS.join(", ");
    let found = quoted(kind);
    let detail = if let Some(name) = nearest(kind, KINDS) {
        format!("{found} is not a kind of schedule: did you mean \"{name}\"? available: {available}")
    } else {
        format!("{found} is not a kind of schedule; available: {available}")
    };
    ScheduleError::at("kind", detail)
}

/// The members of one schedule object while it is being read.
pub(super) struct Members<'a> {
    object: &'a Map<String, Value>,
    errors: Vec<ScheduleError>,
}

impl<'a> Members<'a> {
    /// Starts reading a schedule; every member that is neither in `known` nor common to all kinds is recorded as an
    /// error.
    pub(super) fn new(object: &'a Map<String, Value>, known: &[&'static str]) -> Self {
        let all: Vec<_> = ["kind"].iter().chain(known).chain(&["calendars"]).copied().collect();
        Members::plain(object, &all)
    }

    /// Starts reading an object that is no schedule.
    pub(super) fn plain(object: &'a Map<String, Value>, known: &[&'static str]) -> Self {
        let unknown = object.keys().filter(|name| !known.contains(&name.as_str()));
        let errors = unknown.map(|name| unknown_member(name, known)).collect();
        Members { object, errors }
    }

    /// Records an error that was found elsewhere.
    pub(super) fn record(&mut self, error: ScheduleError) {
        self.errors.push(error);
    }

    /// The entries of an optional list; what `read` says about an entry is recorded with its index.
    pub(super) fn list<T>(&mut self, name: &str, most: usize, read: impl Fn(&'a Value) -> Result<T, String>) -> Vec<T> {
        let list = match self.get(name) {
            None => return Vec::new(),
            Some(Value::Array(list)) if list.len() <= most => list,
            Some(Value::Array(list)) => {
                self.refuse(name, format!("`{name}` has {} entries; allowed are {most}", list.len()));
                return Vec::new();
            }
            Some(other) => {
                self.refuse(name, format!("`{name}` must be a list, found {}", type_name(other)));
                return Vec::new();
            }
        };
        let mut entries = Vec::with_capacity(list.len());
        for (index, value) in list.iter().enumerate() {
            match read(value) {
                Ok(entry) => entries.push(entry),
                Err(problem) => self.record(ScheduleError::at(name, problem).child(&index.to_string())),
            }
        }
        entries
    }

    /// Records what is wrong with a member.
    pub(super) fn refuse(&mut self, name: &str, detail: impl Into<String>) {
        self.errors.push(ScheduleError::at(name, detail));
    }

    /// A member, `None` when it is missing or null.
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// A member that must be there; `example` completes the sentence about its absence.
    pub(super) fn required(&mut self, name: &str, example: &str) -> Option<&'a Value> {
        let value = self.get(name);
        if value.is_none() {
            self.refuse(name, format!("`{name}` is missing; an example: {example}"));
        }
        value
    }

    /// The text of a member; any other type is recorded as an error.
    pub(super) fn text(&mut self, name: &str, value: &'a Value) -> Option<&'a str> {
        if value.as_str().is_none() {
            self.refuse(name, format!("`{name}` must be a string, found {}", type_name(value)));
        }
        value.as_str()
    }

    /// An optional member that is one of a few names.
    pub(super) fn choice<T: Copy, const N: usize>(&mut self, name: &str, choices: [(&'static str, T); N]) -> Option<T> {
        let value = self.get(name)?;
        let text = self.text(name, value)?;
        if let Some((_, choice)) = choices.iter().find(|(known, _)| *known == text) {
            return Some(*choice);
        }
        let names = choices.map(|(known, _)| known);
        let hint = nearest(text, names).map(|near| format!(" (did you mean \"{near}\"?)")).unwrap_or_default();
        self.refuse(name, format!("{} is unknown{hint}; allowed are {}", quoted(text), or_list(&names)));
        None
    }

    /// The zone in the optional member `timezone`; UTC when it is missing (or wrong, which is recorded).
    pub(super) fn timezone(&mut self) -> chrono_tz::Tz {
        let parsed = self.get("timezone").and_then(|value| self.text("timezone", value)).map(super::timezone::parse);
        match parsed {
            Some(Ok(zone)) => zone,
            Some(Err(detail)) => {
                self.refuse("timezone", detail);
                chrono_tz::Tz::UTC
            }
            None => chrono_tz::Tz::UTC,
        }
    }

    /// The result: what was built, or everything that was wrong.
    pub(super) fn finish<T>(mut self, built: Option<T>) -> Result<T, Vec<ScheduleError>> {
        match built {
            Some(built) if self.errors.is_empty() => Ok(built),
            _ => {
                // Unreachable as long as whoever builds nothing says why; an empty list would read as success.
                if self.errors.is_empty() {
                    self.errors.push(ScheduleError::whole("the schedule is incomplete"));
                }
                Err(self.errors)
            }
        }
    }
}

fn unknown_member(name: &str, known: &[&'static str]) -> ScheduleError {
    let hint = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`? "),
        None => String::new(),
    };
    ScheduleError::at(name, format!("unknown field {}: {hint}allowed are {}", quoted(name), known.join(", ")))
}

/// What a JSON value is, with its article.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
