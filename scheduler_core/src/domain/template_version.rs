//! Versions of templates, and definitions as documents that can be compared.

use super::TemplateSpec;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// One version of a template: what it was from then on.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TemplateVersion {
    /// Its number, from 1.
    pub version: i32,
    /// The template's name in it.
    pub name: String,
    /// Whether it fired.
    pub active: bool,
    /// When.
    #[schema(value_type = crate::schedule::ScheduleSpec)]
    pub schedule: Value,
    /// What.
    #[schema(value_type = super::JobSpec)]
    pub job: Box<RawValue>,
    /// Overlap policy.
    #[schema(value_type = super::OverlapPolicy)]
    pub overlap: String,
    /// Its other policies.
    #[serde(flatten)]
    #[schema(value_type = super::TemplatePolicies)]
    pub policies: Value,
    /// From when on it was in force.
    pub created_at: DateTime<Utc>,
}

/// The members of a template that are its definition.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct DefinitionParts<'a> {
    /// Its name.
    pub name: &'a str,
    /// When.
    pub schedule: &'a Value,
    /// What, digit for digit as it is stored.
    pub job: &'a RawValue,
    /// Whether it fires.
    pub active: bool,
    /// Overlap policy.
    pub overlap: &'a str,
    /// The other policies.
    #[serde(flatten)]
    pub policies: &'a Value,
}

impl DefinitionParts<'_> {
    /// The definition as one document for comparing: what is null is left out. A job that cannot be read into values
    /// (a number that no program can hold) stands there as its text.
    pub fn document(&self) -> Value {
        let job = serde_json::from_str(self.job.get()).unwrap_or_else(|_| Value::String(self.job.get().to_owned()));
        let mut document = self.policies.as_object().cloned().unwrap_or_default();
        document.insert("name".to_owned(), self.name.into());
        document.insert("schedule".to_owned(), self.schedule.clone());
        document.insert("job".to_owned(), job);
        document.insert("active".to_owned(), self.active.into());
        document.insert("overlap".to_owned(), self.overlap.into());
        without_nulls(document)
    }
}

/// A definition that was asked for as a document of the same form.
pub fn document_of(spec: &TemplateSpec) -> Value {
    let job = serde_json::value::to_raw_value(&spec.job).expect("job specs have string keys and finite numbers only");
    let policies = serde_json::to_value(spec.policies()).expect("policies are numbers, names and times");
    let parts = DefinitionParts {
        name: &spec.name,
        schedule: &spec.schedule,
        job: &job,
        active: spec.active,
        overlap: spec.overlap.as_str(),
        policies: &policies,
    };
    parts.document()
}

fn without_nulls(mut document: Map<String, Value>) -> Value {
    document.retain(|_, value| !value.is_null());
    Value::Object(document)
}

impl TemplateVersion {
    /// What it defines.
    pub fn parts(&self) -> DefinitionParts<'_> {
        DefinitionParts {
            name: &self.name,
            schedule: &self.schedule,
            job: &self.job,
            active: self.active,
            overlap: &self.overlap,
            policies: &self.policies,
        }
    }
}

impl super::Template {
    /// What it defines.
    pub fn parts(&self) -> DefinitionParts<'_> {
        DefinitionParts {
            name: &self.name,
            schedule: &self.schedule,
            job: &self.job,
            active: self.active,
            overlap: &self.overlap,
            policies: &self.policies,
        }
    }
}
