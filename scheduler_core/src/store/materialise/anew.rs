//! Planning again what was planned already, after the template or what surrounds it has changed.
//!
//! In the transaction of the change and as far as it was planned before, so that no occurrence depends on a manager
//! being there: an occurrence that was a job before is one afterwards, or was meant to go.

use super::Surroundings;
use super::plan::{Plan, Planning, plan};
use super::record::{Entry, MaterialisedJob, advance, record};
use crate::domain::Timetable;
use crate::store::StoreResult;
use crate::store::templates::row::TemplateRow;
use crate::store::templates::withdraw::Move;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use std::collections::BTreeSet;

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
        drop_left_out(connection, row, now).await?;
        keep_for_resume(connection, row, moved, now).await?;
        return Ok(Vec::new());
    }
    let definition = row.definition()?;
    let surroundings = Surroundings::read(connection, [(row, &definition.schedule)].into_iter()).await?;
    surroundings.check(row, &definition.schedule)?;
    let planning = surroundings.planning(row, &definition, now);
    let open = drop_open_records(connection, row, &planning.timetable, now).await?;
    let mut plan = plan(&planning, until, (MOST / definition.weight()).max(1));
    count_skipped(&mut plan, &open.skipped);
    put_moves(&mut plan, moved.iter().chain(&open.moved), &planning);
    let entry = [Entry::new(row, &definition, plan, planning.timetable)];
    let recorded = record(connection, &entry, now).await?;
    advance(connection, &[entry[0].cursor()]).await?;
    Ok(recorded.jobs)
}

/// What somebody has skipped has had its run, also if the schedule leaves it out by now: [`planned_runs`] counts it.
fn count_skipped(plan: &mut Plan, skipped: &BTreeSet<DateTime<Utc>>) {
    let left_out = plan.occurrences.iter().filter(|planned| !planned.dispatched() && skipped.contains(&planned.at));
    plan.runs += i64::try_from(left_out.count()).unwrap_or(0);
}

/// Moved occurrences are planned for where they were moved to, those beyond the plan's end at once unless the template
/// ends before.
fn put_moves<'a>(plan: &mut Plan, moved: impl Iterator<Item = &'a Move>, planning: &Planning<'_>) {
    for Move { nominal_at, moved_to } in moved {
        let Some(occurrence) = planning.timetable.at(*nominal_at) else { continue };
        let put = planning.judge_moved(&occurrence, *moved_to);
        match plan.occurrences.iter_mut().find(|planned| planned.at == *nominal_at) {
            Some(planned) => {
                plan.runs += i64::from(put.dispatched()) - i64::from(planned.dispatched());
                *planned = put;
            }
            None if *nominal_at > plan.cursor_at && plan.next_at.is_some() => plan.occurrences.push(put),
            None => {}
        }
    }
}

/// Records of times to come that a new plan goes by.
struct Open {
    /// What somebody has skipped.
    skipped: BTreeSet<DateTime<Utc>>,
    /// What somebody has moved and has no job.
    moved: Vec<Move>,
}

/// A record that was dropped, and where its occurrence had been moved.
type Dropped = (DateTime<Utc>, Option<DateTime<Utc>>);

/// Drops the records of times to come that have no job: those that the schedule, a window or a pause suppresses are judged
/// anew, and what somebody skipped needs no record once it is no nominal time any more.
async fn drop_open_records(
    connection: &mut PgConnection,
    row: &TemplateRow,
    timetable: &Timetable<'_>,
    now: DateTime<Utc>,
) -> StoreResult<Open> {
    let skipped: Vec<DateTime<Utc>> = sqlx::query_scalar(
        "SELECT nominal_at FROM occurrences
          WHERE merchant_id = $1 AND template_id = $2 AND nominal_at > $3 AND outcome = 'skipped_user'",
    )
    .bind(row.merchant_id)
    .bind(row.id)
    .bind(now)
    .fetch_all(&mut *connection)
    .await?;
    let (skipped, foreign): (Vec<_>, Vec<_>) = skipped.into_iter().partition(|at| timetable.at(*at).is_some());
    let dropped: Vec<Dropped> = sqlx::query_as(
        "DELETE FROM occurrences
          WHERE merchant_id = $1 AND template_id = $2 AND nominal_at > $3 AND job_id IS NULL
            AND (outcome IN ('skipped_calendar', 'skipped_dst_gap') OR nominal_at = ANY ($4)
                 OR (outcome = 'missed_paused' AND moved_to > $3))
         RETURNING nominal_at, moved_to",
    )
    .bind(row.merchant_id)
    .bind(row.id)
    .bind(now)
    .bind(foreign)
    .fetch_all(connection)
    .await?;
    let moved = dropped.into_iter().filter_map(|(nominal_at, to)| Some(Move { nominal_at, moved_to: to? }));
    Ok(Open { skipped: skipped.into_iter().collect(), moved: moved.collect() })
}

/// Drops the records of times to come that have no job, of a template that does not fire any more: those are times of the
/// pause, or none, whatever else would have left them out.
pub(crate) async fn drop_left_out(
    connection: &mut PgConnection,
    row: &TemplateRow,
    now: DateTime<Utc>,
) -> StoreResult<()> {
    sqlx::query(
        "DELETE FROM occurrences
          WHERE merchant_id = $1 AND template_id = $2 AND nominal_at > $3 AND job_id IS NULL
            AND outcome IN ('skipped_calendar', 'skipped_dst_gap')",
    )
    .bind(row.merchant_id)
    .bind(row.id)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// A pause takes the jobs back; where they had been moved is kept, for a resume in time.
async fn keep_for_resume(
    connection: &mut PgConnection,
    row: &TemplateRow,
    moved: &[Move],
    now: DateTime<Utc>,
) -> StoreResult<()> {
    if moved.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO occurrences (merchant_id, template_id, nominal_at, outcome, reason, moved_to, version, created_at)
         SELECT $1, $2, m.nominal_at, 'missed_paused', 'moved', m.moved_to, $5, $6
           FROM unnest($3::timestamptz[], $4::timestamptz[]) AS m (nominal_at, moved_to)
         ON CONFLICT DO NOTHING",
    )
    .bind(row.merchant_id)
    .bind(row.id)
    .bind(moved.iter().map(|it| it.nominal_at).collect::<Vec<_>>())
    .bind(moved.iter().map(|it| it.moved_to).collect::<Vec<_>>())
    .bind(row.version)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}
