//! A row of `templates`, and what can be made of it.

use crate::domain::{JobSpec, OverlapPolicy, Template, TemplateId};
use crate::schedule::{EvalContext, Schedule};
use crate::store::{StoreError, StoreResult};
use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use uuid::Uuid;

/// The columns of [`TemplateRow`].
macro_rules! template_columns {
    () => {
        "merchant_id, id, name, version, active, schedule, job, overlap, cursor_at, next_at, created_at, updated_at"
    };
}

/// Keeps the version of a template that was written as the row `$from`.
macro_rules! record_version {
    ($from:literal) => {
        concat!(
            "INSERT INTO template_versions (merchant_id, template_id, version, name, schedule, job, overlap, created_at) \
             SELECT merchant_id, id, version, name, schedule, job, overlap, updated_at FROM ",
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
    pub cursor_at: DateTime<Utc>,
    pub next_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A template's definition, read and checked: what evaluation and job rows need.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    pub schedule: Schedule,
    pub job: JobSpec,
    pub overlap: OverlapPolicy,
}

impl TemplateRow {
    /// Which template it is.
    pub fn template(&self) -> TemplateId {
        TemplateId(self.id)
    }

    /// What an evaluation of the schedule may depend on besides itself.
    pub fn context(&self) -> EvalContext<'static> {
        EvalContext::new(self.created_at, self.id)
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
        Ok(Definition { schedule, job, overlap })
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
            next_at: row.next_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// Stored JSON as it is; what is not JSON is shown as a string, so that one damaged row does not make a list unreadable.
fn raw_json(text: String) -> Box<RawValue> {
    RawValue::from_string(text.clone())
        .unwrap_or_else(|_| serde_json::value::to_raw_value(&text).expect("a string can always be written as JSON"))
}
