//! Schedules of other systems in our form: crontab lines, Kubernetes CronJobs, Quartz expressions, systemd timers.
//!
//! Pure: text or parsed documents in, definitions of templates out. Where a system means something else than we do, the
//! definition is written so that it means the same; where that cannot be, a warning says how they differ.

mod crontab;
mod kubernetes;
mod quartz;
mod systemd;

use serde_json::{Map, Value, json};

use super::{Kind, Schedule};

pub use crontab::crontab;
pub use kubernetes::kubernetes;
pub use quartz::quartz;
pub use systemd::systemd;

/// What an import found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Import {
    /// The definitions, in the order of the source.
    pub templates: Vec<Imported>,
    /// What could not be taken over.
    pub problems: Vec<ImportProblem>,
}

/// One definition.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// Where it stands in the source, such as `line 3`.
    pub place: String,
    /// The template as `POST /v1/templates` takes it. Its job does nothing yet; what ran before is in its payload.
    pub template: Value,
    /// How it differs from what it was. Sentences.
    pub warnings: Vec<String>,
}

/// Something that could not be taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportProblem {
    /// Where it stands in the source.
    pub place: String,
    /// A sentence.
    pub detail: String,
}

/// A definition that is being put together.
struct Draft {
    place: String,
    name: String,
    schedule: Value,
    /// Further members of the template.
    policies: Map<String, Value>,
    payload: Value,
    warnings: Vec<String>,
}

impl Draft {
    fn new(place: impl Into<String>, name: &str, schedule: Value) -> Draft {
        let (policies, payload) = (Map::new(), Value::Null);
        Draft { place: place.into(), name: slug(name), schedule, policies, payload, warnings: Vec::new() }
    }

    /// Adds the template to what was found, or a problem if its schedule is not valid.
    fn finish(self, import: &mut Import) {
        if let Err(errors) = Schedule::parse(&self.schedule) {
            let details: Vec<String> = errors.into_iter().map(|error| error.detail).collect();
            import.problems.push(ImportProblem { place: self.place, detail: details.join("; ") });
            return;
        }
        let mut template = json!({"name": unused(&self.name, import), "schedule": self.schedule,
            "job": {"target": {"kind": "noop"}, "payload": self.payload}});
        if let Value::Object(members) = &mut template {
            members.extend(self.policies);
        }
        import.templates.push(Imported { place: self.place, template, warnings: self.warnings });
    }
}

impl Import {
    fn problem(&mut self, place: impl Into<String>, detail: impl Into<String>) {
        self.problems.push(ImportProblem { place: place.into(), detail: detail.into() });
    }
}

/// A cron schedule of ours.
fn cron(expression: &str, zone: &str) -> Value {
    json!({"kind": "cron", "expression": expression, "timezone": zone})
}

/// Whether a clock change can touch the times of a schedule: it is wall-clock, and its zone changes its clocks.
fn is_touched_by_clock_changes(schedule: &Value) -> bool {
    let Ok(schedule) = Schedule::parse(schedule) else { return false };
    let wall_clock = matches!(schedule.kind(), Kind::Cron(cron) if !cron.is_elapsed());
    wall_clock && super::timeline::Timeline::of(schedule.timezone()).changes_after(FROM)
}

/// Changes of the clock before 2026 are history.
const FROM: i64 = 1_767_225_600;

/// A name that a template may have, made of some text.
fn slug(text: &str) -> String {
    let mut slug = String::new();
    for char in text.chars() {
        if char.is_ascii_alphanumeric() {
            slug.push(char.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() >= 60 {
            break;
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "imported".to_owned() } else { slug.to_owned() }
}

/// The name, with a number behind it if it is taken.
fn unused(name: &str, import: &Import) -> String {
    let taken = |name: &str| import.templates.iter().any(|other| other.template["name"] == name);
    let mut candidates = std::iter::once(name.to_owned()).chain((2..).map(|number| format!("{name}-{number}")));
    candidates.find(|candidate| !taken(candidate)).unwrap_or_else(|| name.to_owned())
}
