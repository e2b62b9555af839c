//! Planning again what was planned already, after the template or what surrounds it has changed.
//!
//! In the transaction of the change and as far as it was planned before, so that no occurrence depends on a manager
//! being there: an occurrence that was a job before is one afterwards, or was meant to go.

use super::Surroundings;
use super::plan::{Plan, Planned, plan};
use super::record::{Entry, MaterialisedJob, advance, record};
use crate::domain::{OccurrenceOutcome, Timetable};
use crate::store::StoreResult;
use crate::store::templates::row::TemplateRow;
use crate::store::templates::withdraw::Move;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// The most occurrences; what is left is the next manager's.
const MOST: usize = 5_000;

/// Counts the occurrences after `now` that were planned to run, skipped ones included: `runs` is less by so many when they
/// are planned again.
pub(crate) async fn planned_runs(
    connection: &mut PgConnection,
    row: &TemplateRow,
    now: DateTime<Utc>,
) -> StoreResult<i64> {
    let count = sqlx::query_scalar(
        "SELECT count(*) FROM occurrences
          WHERE merchant_id = $1 AND template_id = $2 AND nominal_at > $3 AND nominal_at <= $4
            AND outcome IN ('dispatched', 'skipped_user', 'skipped_overlap')",
    );
    Ok(count.bind(row.merchant_id).bind(row.id).bind(now).bind(row.cursor_at).fetch_one(connection).await?)
}

/// Plans the locked template from its cursor to `until`, where its plan ended before. Occurrences that somebody has moved
/// or skipped stay moved or skipped, as far as they still are nominal times.
pub(crate) async fn plan_anew(
    connection: &mut PgConnection,
    row: &TemplateRow,
    moved: &[Move],
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> StoreResult<Vec<MaterialisedJob>> {
    if !row.active {
        return Ok(Vec::new());
    }
    let definition = row.definition()?;
    let surroundings = Surroundings::read(connection, [(row, &definition.schedule)].into_iter()).await?;
    surroundings.check(row, &definition.schedule)?;
    let planning = surroundings.planning(row, &definition, row.cursor_at, now);
    drop_open_records(connection, row, &planning.timetable, now).await?;
    let mut plan = plan(&planning, until, (MOST / definition.weight()).max(1));
    put_moves(&mut plan, moved, &planning.timetable);
    let entry = [Entry::new(row, &definition, plan, planning.timetable)];
    let recorded = record(connection, &entry, now).await?;
    advance(connection, &[entry[0].cursor()]).await?;
    Ok(recorded.jobs)
}

/// Moved occurrences are planned for where they were moved to, those beyond the plan's end at once.
fn put_moves(plan: &mut Plan, moved: &[Move], timetable: &Timetable<'_>) {
    for Move { nominal_at, moved_to } in moved {
        match plan.occurrences.iter_mut().find(|planned| planned.at == *nominal_at) {
            Some(planned) => planned.move_to(*moved_to),
            None if *nominal_at > plan.cursor_at && timetable.at(*nominal_at).is_some() => {
                plan.occurrences.push(Planned::moved(*nominal_at, *moved_to));
            }
            None => {}
        }
    }
}

impl Planned {
    /// A nominal time whose job starts at another.
    pub fn moved(at: DateTime<Utc>, to: DateTime<Utc>) -> Self {
        let outcome = OccurrenceOutcome::Dispatched;
        let mut planned = Self { at, outcome, reason: None, run_at: at, catch_up: false, moved_to: None };
        planned.move_to(to);
        planned
    }

    fn move_to(&mut self, to: DateTime<Utc>) {
        if self.dispatched() {
            (self.run_at, self.moved_to) = (to, Some(to));
            self.reason = Some("moved".to_owned());
        }
    }
}

/// Drops the records of times to come that have no job: those that the schedule or a window suppresses are judged anew,
/// and what somebody skipped needs no record once it is no nominal time any more.
async fn drop_open_records(
    connection: &mut PgConnection,
    row: &TemplateRow,
    timetable: &Timetable<'_>,
    now: DateTime<Utc>,
) -> StoreResult<()> {
    let skipped: Vec<DateTime<Utc>> = sqlx::query_scalar(
        "SELECT nominal_at FROM occurrences
          WHERE merchant_id = $1 AND template_id = $2 AND nominal_at > $3 AND outcome = 'skipped_user'",
    )
    .bind(row.merchant_id)
    .bind(row.id)
    .bind(now)
    .fetch_all(&mut *connection)
    .await?;
    let foreign: Vec<_> = skipped.into_iter().filter(|at| timetable.at(*at).is_none()).collect();
    sqlx::query(
        "DELETE FROM occurrences
          WHERE merchant_id = $1 AND template_id = $2 AND nominal_at > $3 AND job_id IS NULL
            AND (outcome IN ('skipped_calendar', 'skipped_dst_gap') OR nominal_at = ANY ($4))",
    )
    .bind(row.merchant_id)
    .bind(row.id)
    .bind(now)
    .bind(foreign)
    .execute(connection)
    .await?;
    Ok(())
}
