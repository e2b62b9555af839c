//! One nominal time of a template, judged and planned by itself: what somebody skips, moves or gives back.

use super::plan::{Plan, Planned, Planning, plan};
use super::record::{Cursor, Entry, MaterialisedJob, advance, record};
use super::{MAX_ROWS, Surroundings};
use crate::domain::{Freeze, JobSpec, Timetable};
use crate::schedule::{Occurrence, Suppression};
use crate::store::StoreResult;
use crate::store::templates::row::{Definition, TemplateRow};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Nominal times that are counted to find out whether `max_runs` leaves one for a time far ahead.
const COUNTED: usize = 20_000;

/// A template with everything that its nominal times depend on.
pub(crate) struct Single<'a> {
    row: &'a TemplateRow,
    definition: Definition,
    surroundings: Surroundings,
    now: DateTime<Utc>,
}

impl<'a> Single<'a> {
    /// Reads what surrounds the template.
    pub async fn read(connection: &mut PgConnection, row: &'a TemplateRow, now: DateTime<Utc>) -> StoreResult<Self> {
        let definition = row.definition()?;
        let surroundings = Surroundings::read(connection, [(row, &definition.schedule)].into_iter()).await?;
        surroundings.check(row, &definition.schedule)?;
        Ok(Self { row, definition, surroundings, now })
    }

    /// The template's nominal times.
    pub fn timetable(&self) -> Timetable<'_> {
        self.surroundings.timetable(self.row, &self.definition)
    }

    /// What its jobs do.
    pub fn job(&self) -> &JobSpec {
        &self.definition.job
    }

    /// How much of a batch one of its jobs is.
    pub fn weight(&self) -> usize {
        self.definition.weight()
    }

    /// Why a nominal time to come will get no job, as the end of a sentence.
    pub fn left_out(&self, occurrence: &Occurrence) -> Option<String> {
        let planning = self.planning();
        if let Some((_, freeze)) = planning.suppressed(occurrence) {
            let rule = match occurrence.suppressed {
                Some(Suppression::DstGap) => "a clock change",
                _ => "a calendar",
            };
            return Some(format!("{} leaves it out", freeze.as_deref().unwrap_or(rule)));
        }
        let most = self.definition.policies.max_runs?;
        let before = planning.timetable.occurrences(planning.settled_until).take(COUNTED);
        let runs = before.take_while(|it| it.at <= occurrence.at).filter(Occurrence::runs).count();
        let had = self.row.runs + i64::try_from(runs).unwrap_or(i64::MAX - self.row.runs);
        (occurrence.at > self.row.cursor_at && had > most)
            .then(|| format!("the template will have had its {most} runs (`max_runs`) by then"))
    }

    /// The freeze window that a time lies in.
    pub fn freeze_at(&self, at: DateTime<Utc>) -> Option<&Freeze> {
        self.planning().freezes.iter().find(|freeze| freeze.contains(at))
    }

    /// Plans the template as far as `until`, where each time is counted from the one before it and the plan has not come so
    /// far yet.
    pub async fn plan_until(&self, connection: &mut PgConnection, until: DateTime<Utc>) -> StoreResult<()> {
        let planning = self.planning();
        let plan = plan(&planning, until, (MAX_ROWS / self.definition.weight()).max(1));
        let entry = [Entry::new(self.row, &self.definition, plan, planning.timetable)];
        record(connection, &entry, self.now).await?;
        advance(connection, &[entry[0].cursor()]).await
    }

    /// Records a nominal time that has no record, as if it were planned now.
    pub async fn plan(
        &self,
        connection: &mut PgConnection,
        occurrence: &Occurrence,
    ) -> StoreResult<Vec<MaterialisedJob>> {
        self.put(connection, self.planning().judge_alone(occurrence)).await
    }

    /// Records a nominal time that has no record with a start at `to`.
    pub async fn plan_moved(
        &self,
        connection: &mut PgConnection,
        occurrence: &Occurrence,
        to: DateTime<Utc>,
    ) -> StoreResult<Vec<MaterialisedJob>> {
        self.put(connection, self.planning().judge_moved(occurrence, to)).await
    }

    /// Where each time is counted from the end of the one before it: the next one is counted from `at`, which will not run.
    pub async fn count_from(&self, connection: &mut PgConnection, at: DateTime<Utc>) -> StoreResult<()> {
        let has_had = self.planning().has_had(self.row.runs);
        let next = self.timetable().after_end_at(at).next_after(at).filter(|_| !has_had);
        let cursor = Cursor {
            merchant: self.row.merchant_id,
            template: self.row.id,
            version: self.row.version,
            cursor_at: at,
            next_at: next.map(|next| next.at),
            found_next: true,
            runs: self.row.runs,
            counted_from: Some(at),
        };
        advance(connection, &[cursor]).await
    }

    fn planning(&self) -> Planning<'_> {
        self.surroundings.planning(self.row, &self.definition, self.now)
    }

    /// Records one time; the template stays where it is.
    async fn put(&self, connection: &mut PgConnection, planned: Planned) -> StoreResult<Vec<MaterialisedJob>> {
        let TemplateRow { cursor_at, next_at, runs, .. } = *self.row;
        let plan = Plan { occurrences: vec![planned], cursor_at, next_at, runs, counted_from: None };
        let entry = [Entry::new(self.row, &self.definition, plan, self.timetable())];
        Ok(record(connection, &entry, self.now).await?.jobs)
    }
}
