//! A template's future: its definition with everything that its evaluation depends on.

use crate::problem::Problem;
use crate::state::App;
use chrono::{DateTime, Utc};
use scheduler_core::domain::outlook::Outlook;
use scheduler_core::domain::{MerchantId, Template, TemplatePolicies, Timetable};
use scheduler_core::schedule::{CalendarSet, EvalContext, Schedule};
use serde::Deserialize as _;
use uuid::Uuid;

/// What the occurrences to come are made from; owned, so that a thread of its own can look at them.
pub struct Future {
    /// When.
    pub schedule: Schedule,
    /// Bounds and the like.
    pub policies: TemplatePolicies,
    /// The calendars that the schedule names.
    pub calendars: CalendarSet,
    /// When the template was created.
    pub start: DateTime<Utc>,
    /// The template's id.
    pub id: Uuid,
    /// Its runs so far.
    pub runs: i64,
    /// Whether it fires.
    pub active: bool,
}

impl Future {
    /// The future of a template as it is; none when this program cannot read it.
    pub async fn of(app: &App, merchant: MerchantId, template: &Template) -> Result<Option<Self>, Problem> {
        let (Ok(schedule), Ok(policies)) =
            (Schedule::parse(&template.schedule), TemplatePolicies::deserialize(&template.policies))
        else {
            return Ok(None);
        };
        let calendars = app.store.calendar_set(merchant, &schedule.calendar_names()).await?;
        let Template { created_at: start, runs, active, .. } = *template;
        Ok(Some(Self { schedule, policies, calendars, start, id: template.id.0, runs, active }))
    }

    /// A look at it.
    pub fn outlook(&self) -> Outlook<'_> {
        let context = EvalContext::new(self.start, self.id).with_calendars(&self.calendars);
        let timetable = Timetable::new(&self.schedule, &self.policies, context);
        Outlook { timetable, policies: &self.policies, runs: self.runs, active: self.active }
    }
}
