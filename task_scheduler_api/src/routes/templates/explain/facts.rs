//! What an explanation rests on, gathered from the versions, the ledger and the job.

use super::Nearest;
use crate::problem::Problem;
use crate::state::App;
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use scheduler_core::domain::{Job, JobState, MerchantId, Template, TemplatePolicies, TemplateVersion, Timetable};
use scheduler_core::schedule::{CalendarSet, EvalContext, Occurrence, Schedule};
use scheduler_core::store::templates::LedgerEntry;
use scheduler_core::store::transitions::overlap::Verdict;
use serde::Deserialize as _;
use uuid::Uuid;

/// Smallest distance of two times that the database tells apart.
const MICRO: TimeDelta = TimeDelta::microseconds(1);
/// How far a calendar may have moved a time.
const MOVED: TimeDelta = TimeDelta::days(100);
/// Times that calendars leave out before the search for one that runs is given up.
const LOOKED_AT: usize = 20_000;

/// Everything that is known about a template at a time.
pub(super) struct Facts {
    /// The time that was asked for.
    pub asked: DateTime<Utc>,
    /// The present.
    pub now: DateTime<Utc>,
    /// The template as it is.
    pub template: Template,
    /// The version that was in force, or is.
    pub in_force: Option<TemplateVersion>,
    /// The schedule of that version; none when this program cannot read it.
    pub rules: Option<Rules>,
    /// The nominal time at the time that was asked for, by that schedule and whatever its bounds.
    pub nominal: Option<Occurrence>,
    /// Whether it lies within the template's bounds.
    pub in_bounds: bool,
    /// What its calendars make of a time that the schedule would name without them.
    pub displaced: Option<Displaced>,
    /// Whether the schedule as it is now names the time, where another version was in force.
    pub named_since: bool,
    /// What the ledger says.
    pub entry: Option<LedgerEntry>,
    /// The job, while it is kept.
    pub job: Option<Job>,
    /// What it has to do with other jobs in its way, if it is due and waits.
    pub overlap: Option<Verdict>,
    /// Nominal times around it.
    pub nearest: Nearest,
}

/// What calendars make of a time on a day on which nothing runs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Displaced {
    /// It moves to this time.
    To(DateTime<Utc>),
    /// It moves to a time at which the template runs anyway.
    Merged,
}

/// A schedule with what its evaluation depends on.
pub(super) struct Rules {
    pub schedule: Schedule,
    pub policies: TemplatePolicies,
    calendars: CalendarSet,
    start: DateTime<Utc>,
    id: Uuid,
}

impl Facts {
    pub async fn gather(
        app: &App,
        merchant: MerchantId,
        template: Template,
        asked: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Self, Problem> {
        let in_force = app.store.template_version_at(merchant, template.id, asked.min(now)).await?;
        let rules = match &in_force {
            Some(version) => Rules::read(app, merchant, &template, &version.schedule, &version.policies).await?,
            None => None,
        };
        let nominal = rules.as_ref().and_then(|rules| rules.nominal(asked));
        let at = nominal.map_or(asked, |occurrence| occurrence.at);
        let entry = app.store.occurrence_at(merchant, template.id, at, now).await?;
        let job = match entry.as_ref().and_then(|entry| entry.job) {
            Some(job) => app.store.job(merchant, job).await?,
            None => None,
        };
        let overlap = match job.as_ref().filter(|job| job.state == JobState::Scheduled && job.run_at <= now) {
            Some(job) => app.store.overlap_verdict(merchant, job.id).await?,
            None => None,
        };
        let is_another = in_force.as_ref().is_some_and(|version| version.version != template.version);
        let named_since = is_another && nominal.is_none() && {
            let present = Rules::read(app, merchant, &template, &template.schedule, &template.policies).await?;
            present.is_some_and(|rules| rules.nominal(asked).is_some_and(|it| it.runs()))
        };
        let in_bounds = rules.as_ref().is_none_or(|rules| rules.timetable().at(at).is_some());
        let nearest = rules.as_ref().map(|rules| rules.nearest(at)).unwrap_or_default();
        let displaced = match (&rules, &in_force, nominal) {
            (Some(rules), Some(version), None) => rules.displaced(&version.schedule, asked),
            _ => None,
        };
        Ok(Self {
            asked,
            now,
            template,
            in_force,
            rules,
            nominal,
            in_bounds,
            displaced,
            named_since,
            entry,
            job,
            overlap,
            nearest,
        })
    }

    /// The nominal time that the answer is about.
    pub fn nominal_at(&self) -> Option<DateTime<Utc>> {
        let recorded = self.entry.as_ref().map(|entry| entry.nominal_at);
        recorded.or(self.nominal.filter(|_| self.in_bounds).map(|occurrence| occurrence.at))
    }

    /// The version that decided, or was in force.
    pub fn version(&self) -> Option<i32> {
        let decided = self.entry.as_ref().map(|entry| entry.version);
        decided.or(self.in_force.as_ref().map(|version| version.version))
    }
}

impl Rules {
    async fn read(
        app: &App,
        merchant: MerchantId,
        template: &Template,
        schedule: &serde_json::Value,
        policies: &serde_json::Value,
    ) -> Result<Option<Self>, Problem> {
        let (Ok(schedule), Ok(policies)) = (Schedule::parse(schedule), TemplatePolicies::deserialize(policies)) else {
            return Ok(None);
        };
        let calendars = app.store.calendar_set(merchant, &schedule.calendar_names()).await?;
        Ok(Some(Self { schedule, policies, calendars, start: template.created_at, id: template.id.0 }))
    }

    fn context(&self) -> EvalContext<'_> {
        EvalContext::new(self.start, self.id).with_calendars(&self.calendars)
    }

    fn timetable(&self) -> Timetable<'_> {
        Timetable::new(&self.schedule, &self.policies, self.context())
    }

    /// The occurrence at a time, whatever the template's bounds. A time without a fraction of a second stands for its whole
    /// second: that is how people write the times of an interval that counts from a creation.
    fn nominal(&self, at: DateTime<Utc>) -> Option<Occurrence> {
        let found = self.schedule.next_after(at - MICRO, &self.context())?;
        let is_whole = at.trunc_subsecs(0) == at;
        (found.at == at || (is_whole && found.at < at + TimeDelta::seconds(1))).then_some(found)
    }

    /// Where calendars have moved the time of a schedule (`stored`) that has no occurrence there.
    fn displaced(&self, stored: &serde_json::Value, at: DateTime<Utc>) -> Option<Displaced> {
        let mut bare = stored.clone();
        bare.as_object_mut()?.remove("calendars")?;
        let bare = Schedule::parse(&bare).ok()?;
        let context = EvalContext::new(self.start, self.id);
        bare.next_after(at - MICRO, &context).filter(|found| found.at == at)?;
        let around = self.timetable().occurrences(at - MOVED).take(LOOKED_AT).take_while(|it| it.at <= at + MOVED);
        let moved = around.into_iter().find(|it| it.rolled_from == Some(at));
        Some(moved.map_or(Displaced::Merged, |it| Displaced::To(it.at)))
    }

    fn nearest(&self, at: DateTime<Utc>) -> Nearest {
        let times = self.timetable();
        let before = times.latest(DateTime::UNIX_EPOCH, at - MICRO, 1, Occurrence::runs);
        let after = times.occurrences(at).take(LOOKED_AT).find(Occurrence::runs);
        Nearest { before: before.last().map(|it| it.at), after: after.map(|it| it.at) }
    }
}
