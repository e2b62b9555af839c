//! A row of `templates`, and what can be made of it.

use crate::domain::timetable::counts_from_ends;
use crate::domain::{AfterCompletion, JobSpec, OverlapPolicy, Template, TemplateId, TemplatePolicies, Timetable};
use crate::schedule::{CalendarSet, EvalContext, Schedule};
use crate::store::{StoreError, StoreResult};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize as _;
use serde_json::value::RawValue;
use uuid::Uuid;

/// The columns of [`TemplateRow`].
macro_rules! template_columns {
    () => {
        "merchant_id, id, name, version, active, schedule, job, overlap, policies, runs, last_completion_at, pause_reason, \
         cursor_at, next_at, found_next_at, created_at, updated_at"
    };
}

/// Keeps the version of a template that was written as the row `$from`.
macro_rules! record_version {
    ($from:literal) => {
        concat!(
            "INSERT INTO template_versions (merchant_id, template_id, version, name, schedule, job, overlap, policies, \
                                            active, runs, created_at) \
             SELECT merchant_id, id, version, name, schedule, job, overlap, policies, active, runs, updated_at FROM ",
            $from
        )
    };
}

pub(crate) use {record_version, template_columns};

/// A row of `templates` that is not deleted.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct TemplateRow {
    pub merchant_id: Uuid,
    pub id: Uuid,
    pub name: String,
    pub version: i32,
    pub active: bool,
    pub schedule: serde_json::Value,
    pub job: String,
    pub overlap: String,
    pub policies: serde_json::Value,
    pub runs: i64,
    pub last_completion_at: Option<DateTime<Utc>>,
    pub pause_reason: Option<String>,
    pub cursor_at: DateTime<Utc>,
    pub next_at: Option<DateTime<Utc>>,
    pub found_next_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A template's definition, read and checked: what evaluation and job rows need.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    pub schedule: Schedule,
    pub job: JobSpec,
    pub overlap: OverlapPolicy,
    pub policies: TemplatePolicies,
}

impl Definition {
    /// Its nominal times.
    pub fn timetable<'a>(&'a self, context: EvalContext<'a>) -> Timetable<'a> {
        Timetable::new(&self.schedule, &self.policies, context)
    }

    /// How much of a batch one of its occurrences is: the texts of jobs with variables are written for each of them.
    pub fn weight(&self) -> usize {
        const ROW: usize = 4_096;
        let payload = self.job.payload.as_ref().map_or("", |raw| raw.get());
        if payload.contains("{{") { 1 + payload.len() / ROW } else { 1 }
    }

    /// Whether something about the template depends on the ends of its jobs.
    pub fn waits_for_ends(&self) -> bool {
        self.policies.action_after_completion == AfterCompletion::Delete || counts_from_ends(&self.schedule)
    }
}

impl TemplateRow {
    /// Which template it is.
    pub fn template(&self) -> TemplateId {
        TemplateId(self.id)
    }

    /// Up to when no nominal time lacks a record: just before the next one, if that is what a plan has found; otherwise the
    /// last one that has a record.
    pub fn settled_until(&self) -> DateTime<Utc> {
        let found = self.next_at.filter(|_| self.next_at == self.found_next_at);
        found.map_or(self.cursor_at, |next| self.cursor_at.max(next - TimeDelta::microseconds(1)))
    }

    /// What an evaluation of the schedule may depend on besides itself.
    pub fn context<'a>(&self, calendars: &'a CalendarSet) -> EvalContext<'a> {
        EvalContext {
            start: self.created_at,
            template_id: self.id,
            calendars,
            // Before the first run ends its times are counted from the creation.
            last_completion: Some(self.last_completion_at.unwrap_or(self.created_at)),
        }
    }

    /// Reads the definition. It was checked when it was written, so an error means damage, or a newer version of the
    /// program that knows more than this one.
    pub fn definition(&self) -> StoreResult<Definition> {
        let schedule = self.parsed_schedule()?;
        let job: JobSpec = serde_json::from_str(&self.job).map_err(|error| self.corrupt("job", error))?;
        if let Some(error) = job.validate_in_template().first() {
            return Err(self.corrupt("job", error));
        }
        let overlap = OverlapPolicy::parse(&self.overlap)
            .ok_or_else(|| self.corrupt("overlap", format!("no policy is called `{}`", self.overlap)))?;
        Ok(Definition { schedule, job, overlap, policies: self.parsed_policies()? })
    }

    /// Reads the policies alone.
    pub fn parsed_policies(&self) -> StoreResult<TemplatePolicies> {
        TemplatePolicies::deserialize(&self.policies).map_err(|error| self.corrupt("policies", error))
    }

    /// Reads the schedule alone.
    pub fn parsed_schedule(&self) -> StoreResult<Schedule> {
        Schedule::parse(&self.schedule).map_err(|errors| {
            let details: Vec<_> = errors.iter().map(ToString::to_string).collect();
            self.corrupt("schedule", details.join("; "))
        })
    }

    fn corrupt(&self, column: &'static str, detail: impl ToString) -> StoreError {
        StoreError::corrupt("templates", column, format!("{}/{}", self.merchant_id, self.id), detail)
    }
}

impl From<TemplateRow> for Template {
    fn from(row: TemplateRow) -> Self {
        Self {
            id: row.template(),
            name: row.name,
            version: row.version,
            active: row.active,
            schedule: row.schedule,
            job: raw_json(row.job),
            overlap: row.overlap,
            policies: with_defaults(row.policies),
            runs: row.runs,
            pause_reason: row.pause_reason,
            next_at: row.next_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// Stored policies with what they leave out; those that this version cannot read are shown as they are.
pub(super) fn with_defaults(stored: serde_json::Value) -> serde_json::Value {
    let whole = TemplatePolicies::deserialize(&stored).and_then(serde_json::to_value);
    whole.unwrap_or(if stored.is_object() { stored } else { serde_json::json!({}) })
}

/// Stored JSON as it is; what is not JSON is shown as a string, so that one damaged row does not make a list unreadable.
pub(super) fn raw_json(text: String) -> Box<RawValue> {
    RawValue::from_string(text.clone())
        .unwrap_or_else(|_| serde_json::value::to_raw_value(&text).expect("a string can always be written as JSON"))
}
