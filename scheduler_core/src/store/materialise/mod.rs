//! Templates become occurrences and jobs, ahead of time.
//!
//! One step is one transaction: lock the templates that are due, evaluate their schedules here, insert what is new,
//! move their cursors. Any number of processes may do it at once: `SKIP LOCKED` keeps them apart, and the key of the
//! ledger (template, nominal time) makes a record exist once whatever happens. A step that fails leaves nothing.

mod anew;
mod due;
mod plan;
#[cfg(test)]
mod plan_tests;
mod record;
mod settle;
mod single;

use self::due::{lock_due, postpone};
use self::plan::{Planning, plan};
use self::record::{Cursor, Entry, Recorded, advance, record};
use super::calendars::load::load;
use super::freezes;
use super::plans::plan_by_key;
use super::templates::reviews::{ReviewKind, ask_for_review};
use super::templates::row::{Definition, TemplateRow};
use super::{ErrorClass, Store, StoreError, StoreResult};
use crate::domain::{Freeze, OccurrenceOutcome, Timetable};
use crate::schedule::{CalendarSet, Schedule, ScheduleError};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;
use uuid::Uuid;

pub(crate) use anew::{drop_left_out, plan_anew, planned_runs};
pub use record::MaterialisedJob;
pub(crate) use settle::{Settled, settle};
pub(crate) use single::Single;

/// The most occurrences in one transaction, whatever the number of templates: it should take a fraction of a second.
const MAX_ROWS: usize = 5_000;

/// No plan reaches further ahead: the present lies no longer before the cursor than this.
const FURTHEST_AHEAD: TimeDelta = TimeDelta::days(1);

/// How much one step does.
#[derive(Clone, Copy, Debug)]
pub struct MaterialiseOptions {
    /// How far ahead of its time an occurrence becomes a job.
    pub lookahead: Duration,
    /// The most templates.
    pub templates: usize,
    /// The most occurrences of one template.
    pub occurrences: usize,
}

/// What one step did.
#[derive(Debug, Default)]
pub struct Materialised {
    /// Templates that were looked at.
    pub templates: usize,
    /// The jobs that were made.
    pub jobs: Vec<MaterialisedJob>,
    /// Occurrences that were recorded without a job, by outcome.
    pub without_job: BTreeMap<OccurrenceOutcome, usize>,
    /// Templates that could not be materialised, each with its address and the reason. They are left alone for a
    /// minute and lose nothing by it: they go on where they stopped.
    pub broken: Vec<StoreError>,
    /// How far in the past the first occurrence without a record was.
    pub lag: Duration,
    /// Whether something is left that could be done at once.
    pub more: bool,
}

/// A step that failed, and the templates that it had locked.
struct Failed {
    error: StoreError,
    locked: Vec<(Uuid, Uuid, i32)>,
}

impl Store {
    /// Does one step. `now` is the present, by the database's clock.
    ///
    /// When the database refuses what a batch carries, the batch is halved until the template stands alone that it
    /// refuses; that one is reported as broken.
    pub async fn materialise(&self, now: DateTime<Utc>, options: &MaterialiseOptions) -> StoreResult<Materialised> {
        let now = now.trunc_subsecs(6);
        let mut limit = options.templates;
        loop {
            let Failed { error, locked } = match self.materialise_batch(now, options, limit).await {
                Ok(mut done) => {
                    done.more |= limit < options.templates;
                    return Ok(done);
                }
                Err(failed) => failed,
            };
            match locked[..] {
                _ if !matches!(error.class(), ErrorClass::Data | ErrorClass::Conflict) => return Err(error),
                [] => return Err(error),
                [alone] => {
                    let mut connection = self.pool().acquire().await?;
                    let postponing = postpone(&mut connection, alone, now + options.lookahead);
                    self.pool().within(postponing).await?;
                    connection.is_well();
                    return Ok(Materialised { broken: vec![refused(alone, &error)], more: true, ..Default::default() });
                }
                _ => limit = locked.len() / 2,
            }
        }
    }

    async fn materialise_batch(
        &self,
        now: DateTime<Utc>,
        options: &MaterialiseOptions,
        limit: usize,
    ) -> Result<Materialised, Failed> {
        let nothing_locked = |error: StoreError| Failed { error, locked: Vec::new() };
        let mut transaction = self.pool().begin().await.map_err(|error| nothing_locked(error.into()))?;
        let locking = lock_due(&mut transaction, now + options.lookahead, limit);
        let rows = self.pool().within(locking).await.map_err(nothing_locked)?;
        let written = self.pool().within(write_batch(&mut transaction, &rows, now, options)).await;
        let failed = |error| Failed { error, locked: rows.iter().map(|r| (r.merchant_id, r.id, r.version)).collect() };
        let mut done = match written {
            Ok(done) => done,
            Err(error) => {
                // Waited for, because until then the next try would pass over the rows as locked by somebody else.
                let _the_connection_may_be_gone = transaction.rollback().await;
                return Err(failed(error));
            }
        };
        #[cfg(feature = "planted-bugs")]
        let lifted = if crate::planted::planted("occurrence_apart_from_its_job") {
            let jobs: Vec<Uuid> = done.jobs.iter().map(|made| made.job.0).collect();
            Some(super::planted::lift(&mut transaction, &jobs).await.map_err(failed)?)
        } else {
            None
        };
        transaction.commit().await.map_err(|error| failed(error.into()))?;
        #[cfg(feature = "planted-bugs")]
        if let Some(lifted) = lifted {
            super::planted::lay(self.pool(), lifted).await.map_err(failed)?;
        }
        done.more |= rows.len() >= limit;
        Ok(done)
    }
}

/// Plans and writes what the locked templates get.
async fn write_batch(
    connection: &mut PgConnection,
    rows: &[TemplateRow],
    now: DateTime<Utc>,
    options: &MaterialiseOptions,
) -> StoreResult<Materialised> {
    if rows.is_empty() {
        return Ok(Materialised::default());
    }
    let horizon = now + options.lookahead;
    let mut broken = Vec::new();
    let mut cursors = Vec::new();
    let mut readable: Vec<(&TemplateRow, Definition)> = Vec::new();
    for row in rows {
        match row.definition() {
            Ok(definition) => readable.push((row, definition)),
            Err(error) => {
                broken.push(error);
                cursors.push(untouched(row, horizon + due::PAUSE));
            }
        }
    }
    let surroundings = Surroundings::read(connection, readable.iter().map(|(row, it)| (*row, &it.schedule))).await?;
    readable.retain(|(row, definition)| match surroundings.check(row, &definition.schedule) {
        Ok(()) => true,
        Err(error) => {
            broken.push(error);
            cursors.push(untouched(row, horizon + due::PAUSE));
            false
        }
    });
    let entries = plan_all(&readable, &surroundings, now, horizon, options);
    cursors.extend(entries.iter().map(Entry::cursor));
    let Recorded { jobs, without_job } = record(connection, &entries, now).await?;
    plan_by_key(connection).await?;
    advance(connection, &cursors).await?;
    let ended: Vec<_> = entries.iter().filter(|entry| entry.has_just_ended()).map(Entry::key).collect();
    ask_for_review(connection, &ended, ReviewKind::Ended).await?;
    let more = entries.iter().any(|entry| entry.plan().has_more(horizon));
    Ok(Materialised { templates: rows.len(), jobs, without_job, broken, lag: lag(rows, now), more })
}

/// What a merchant's templates have around them, beside their own definitions.
#[derive(Default)]
pub(crate) struct Surroundings {
    freezes: HashMap<Uuid, Vec<Freeze>>,
    calendars: HashMap<Uuid, CalendarSet>,
}

impl Surroundings {
    /// Of the merchants of these templates, as far back as their ledgers have gaps, and what their schedules name.
    pub(crate) async fn read<'a>(
        connection: &mut PgConnection,
        templates: impl Iterator<Item = (&'a TemplateRow, &'a Schedule)>,
    ) -> StoreResult<Self> {
        let (mut merchants, mut calendars, mut since) = (BTreeSet::new(), BTreeSet::new(), None);
        for (row, schedule) in templates {
            merchants.insert(row.merchant_id);
            calendars.extend(schedule.calendar_names().into_iter().map(|name| (row.merchant_id, name.to_owned())));
            let present = row.cursor_at - FURTHEST_AHEAD;
            since = Some(since.map_or(present, |since: DateTime<Utc>| since.min(present)));
        }
        let merchants: Vec<Uuid> = merchants.into_iter().collect();
        let freezes = freezes::read(connection, &merchants, since).await?;
        Ok(Self { freezes, calendars: load(connection, &calendars).await? })
    }

    /// Whether a template's schedule can be evaluated. With a calendar missing it would seem to have ended.
    pub(crate) fn check(&self, row: &TemplateRow, schedule: &Schedule) -> StoreResult<()> {
        let cannot = |errors: Vec<ScheduleError>| {
            let details: Vec<_> = errors.iter().map(ToString::to_string).collect();
            StoreError::corrupt("templates", "schedule", format!("{}/{}", row.merchant_id, row.id), details.join("; "))
        };
        schedule.check_calendars(self.calendars(row.merchant_id)).map_err(cannot)
    }

    /// The nominal times of a template.
    pub(crate) fn timetable<'a>(&'a self, row: &TemplateRow, definition: &'a Definition) -> Timetable<'a> {
        definition.timetable(row.context(self.calendars(row.merchant_id)))
    }

    fn calendars(&self, merchant: Uuid) -> &CalendarSet {
        self.calendars.get(&merchant).unwrap_or(CalendarSet::none())
    }

    fn planning<'a>(&'a self, row: &'a TemplateRow, definition: &'a Definition, now: DateTime<Utc>) -> Planning<'a> {
        Planning {
            template: row.id,
            timetable: self.timetable(row, definition),
            policies: &definition.policies,
            freezes: self.freezes.get(&row.merchant_id).map_or(&[], Vec::as_slice),
            runs: row.runs,
            cursor_at: row.cursor_at,
            settled_until: row.settled_until(),
            now,
        }
    }
}

/// Plans each template within its share of [`MAX_ROWS`].
///
/// The least overdue come first: they need little, and what they leave goes to those with a past to work off. Thus
/// a template with a long past neither keeps the others waiting nor crawls.
fn plan_all<'a>(
    readable: &'a [(&'a TemplateRow, Definition)],
    surroundings: &'a Surroundings,
    now: DateTime<Utc>,
    horizon: DateTime<Utc>,
    options: &MaterialiseOptions,
) -> Vec<Entry<'a>> {
    let mut rows_left = MAX_ROWS;
    let planned = readable.iter().enumerate().rev().map(|(templates_before, (row, definition))| {
        let weight = definition.weight();
        let share = (rows_left / (templates_before + 1) / weight).clamp(1, options.occurrences);
        let planning = surroundings.planning(row, definition, now);
        let plan = plan(&planning, horizon, share);
        rows_left = rows_left.saturating_sub(plan.occurrences.len() * weight);
        Entry::new(row, definition, plan, planning.timetable)
    });
    planned.collect()
}

/// A template that stays where it is and is looked at again at `next_at`.
fn untouched(row: &TemplateRow, next_at: DateTime<Utc>) -> Cursor {
    Cursor {
        merchant: row.merchant_id,
        template: row.id,
        version: row.version,
        cursor_at: row.cursor_at,
        next_at: Some(next_at),
        found_next: false,
        runs: row.runs,
        counted_from: None,
    }
}

/// How far in the past the first of the due occurrences was.
fn lag(rows: &[TemplateRow], now: DateTime<Utc>) -> Duration {
    let first = rows.iter().filter_map(|row| row.next_at).min().unwrap_or(now);
    (now - first).max(TimeDelta::zero()).to_std().unwrap_or_default()
}

fn refused((merchant, template, version): (Uuid, Uuid, i32), error: &StoreError) -> StoreError {
    let why = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    StoreError::corrupt(
        "templates",
        "job",
        format!("{merchant}/{template}"),
        format!("version {version} was refused: {why}"),
    )
}
