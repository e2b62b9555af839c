//! What the scheduler holds, as a file that `scheduler apply` reads.

use super::remote::text;
use scheduler_core::domain::TemplateSpec;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// The file.
#[derive(Debug, Serialize)]
pub struct Exported {
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    calendars: Vec<Calendar>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    templates: Vec<Template>,
}

#[derive(Debug, Serialize)]
struct Calendar {
    name: Value,
    definition: Value,
}

/// What a person looks for first stands first.
#[derive(Debug, Serialize)]
struct Template {
    name: Value,
    schedule: Value,
    #[serde(flatten)]
    policies: Map<String, Value>,
    job: Value,
}

impl Exported {
    /// Calendars and templates as the API shows them, without what the scheduler adds and without what is as it is by
    /// default; by name.
    pub fn of(prefix: Option<String>, mut calendars: Vec<Value>, mut templates: Vec<Value>) -> anyhow::Result<Self> {
        let defaults = defaults()?;
        for rows in [&mut calendars, &mut templates] {
            rows.sort_by(|a, b| text(a, "name").cmp(text(b, "name")));
        }
        let member = |row: &Value, name: &str| row.get(name).cloned().unwrap_or(Value::Null);
        let calendars = calendars.iter();
        let calendars =
            calendars.map(|row| Calendar { name: member(row, "name"), definition: member(row, "definition") });
        let templates = templates.iter().map(|row| template(row, &defaults)).collect();
        Ok(Self { prefix, calendars: calendars.collect(), templates })
    }

    /// The text of the file.
    pub fn to_yaml(&self) -> anyhow::Result<String> {
        Ok(serde_saphyr::to_string(self)?)
    }
}

/// A template that says no more than it has to, with everything that is added to it.
fn defaults() -> anyhow::Result<Map<String, Value>> {
    let least = json!({"name": "x", "schedule": {}, "job": {"target": {"kind": "noop"}}});
    // By way of its text: the payload is kept as text.
    let spec: TemplateSpec = serde_json::from_str(&least.to_string())?;
    match serde_json::to_value(spec)? {
        Value::Object(members) => Ok(members),
        _ => Ok(Map::new()),
    }
}

fn template(row: &Value, defaults: &Map<String, Value>) -> Template {
    let member = |name: &str| row.get(name).cloned().unwrap_or(Value::Null);
    let is_special = |name: &str| ["name", "schedule", "job"].contains(&name);
    let policies = defaults
        .iter()
        .filter(|(name, default)| !is_special(name) && row.get(*name).is_some_and(|value| value != *default))
        .map(|(name, _)| (name.clone(), member(name)))
        .collect();
    Template { name: member("name"), schedule: member("schedule"), policies, job: job(member("job"), defaults) }
}

fn job(job: Value, defaults: &Map<String, Value>) -> Value {
    let Value::Object(mut members) = job else { return job };
    let usual = defaults.get("job");
    members.retain(|name, value| {
        name == "target" || usual.and_then(|usual| usual.get(name)).is_none_or(|default| value != default)
    });
    Value::Object(members)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_by_default_and_what_the_scheduler_adds_is_left_out() {
        let row = json!({
            "id": "0197", "name": "b/n", "version": 3, "active": false, "next_at": null, "overlap": "skip",
            "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
            "schedule": {"kind": "cron", "expression": "*/5 * * * *"},
            "job": {"queue": "default", "priority": 1, "target": {"kind": "noop"}, "payload": {"on": "yes", "n": "012"}},
        });
        let calendar = json!({"name": "c", "version": 1, "templates": 1, "definition": {"yearly": ["12-25"]}});
        let yaml = Exported::of(Some("b/".to_owned()), vec![calendar], vec![row]).unwrap().to_yaml().unwrap();
        let read: Value = serde_saphyr::from_str(&yaml).unwrap();
        let expected = json!({
            "prefix": "b/",
            "calendars": [{"name": "c", "definition": {"yearly": ["12-25"]}}],
            "templates": [{
                "name": "b/n", "active": false, "schedule": {"kind": "cron", "expression": "*/5 * * * *"},
                "job": {"priority": 1, "target": {"kind": "noop"}, "payload": {"on": "yes", "n": "012"}},
            }],
        });
        assert_eq!(read, expected, "{yaml}");
    }
}
