//! Driving backfills: a bounded step of one at a time.

use super::judge::judge;
use super::make::{Wanted, make};
use super::row::{BackfillRow, backfill_columns};
use super::template;
use super::times::{Range, next_times};
use crate::store::materialise::{MaterialisedJob, Single};
use crate::store::plans::plan_by_key;
use crate::store::templates::reviews::{ReviewKind, ask_for_review};
use crate::store::templates::row::TemplateRow;
use crate::store::{ErrorClass, Store, StoreError, StoreResult};
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// Nominal times that are judged by one statement.
const CHUNK: usize = 100;
/// Such statements in one step.
const CHUNKS: usize = 10;
/// The most jobs that one step makes, if their texts are short.
const MOST_JOBS: usize = 500;
/// How long a backfill that cannot be driven is left alone.
const PAUSE: TimeDelta = TimeDelta::seconds(60);

/// What one round did.
#[derive(Debug, Default)]
pub struct Driven {
    /// Backfills that were looked at.
    pub backfills: usize,
    /// The jobs that were made.
    pub jobs: Vec<MaterialisedJob>,
    /// Backfills that are completed now.
    pub completed: usize,
    /// Backfills that could not be driven, each with the reason. They are left alone for a minute.
    pub broken: Vec<StoreError>,
    /// Whether something is left that could be done at once.
    pub more: bool,
}

/// The one that nobody has looked at for longest; those that somebody else is just working on are passed over.
const TAKE: &str = concat!(
    "SELECT ",
    backfill_columns!(),
    " FROM backfills b
      WHERE b.state = 'running' AND b.looked_at <= $1 AND b.id <> ALL ($2)
      ORDER BY b.looked_at LIMIT 1
        FOR UPDATE OF b SKIP LOCKED"
);

/// Ends are counted by rows, so that an end waits for nobody.
const COUNT_ENDS: &str = "
    WITH taken AS (
        DELETE FROM backfill_endings WHERE merchant_id = $1 AND backfill_id = $2 RETURNING state
    ), counted AS (
        SELECT count(*) FILTER (WHERE state = 'succeeded') AS succeeded, count(*) FILTER (WHERE state = 'dead') AS failed,
               count(*) FILTER (WHERE state NOT IN ('succeeded', 'dead')) AS other
          FROM taken
    )
    UPDATE backfills b
       SET succeeded = b.succeeded + c.succeeded, failed = b.failed + c.failed, other = b.other + c.other
      FROM counted c
     WHERE b.merchant_id = $1 AND b.id = $2";

impl Store {
    /// Does a step of up to `limit` running backfills. `now`: the present, by the database's clock.
    ///
    /// # Errors
    /// When the database does not answer; what is not done then is done later.
    pub async fn drive_backfills(&self, now: DateTime<Utc>, limit: usize) -> StoreResult<Driven> {
        let now = now.trunc_subsecs(6);
        let (mut driven, mut visited) = (Driven::default(), Vec::new());
        while visited.len() < limit {
            match self.drive_next(now, &visited, &mut driven).await? {
                Some(backfill) => visited.push(backfill),
                None => return Ok(driven),
            }
        }
        driven.more = true;
        Ok(driven)
    }

    /// A step of one backfill; none: there is no other.
    async fn drive_next(&self, now: DateTime<Utc>, visited: &[Uuid], driven: &mut Driven) -> StoreResult<Option<Uuid>> {
        self.pool()
            .within(async {
                let mut transaction = self.pool().begin().await?;
                let taken: Option<BackfillRow> =
                    sqlx::query_as(TAKE).bind(now).bind(visited).fetch_optional(&mut *transaction).await?;
                let Some(backfill) = taken else {
                    transaction.rollback().await?;
                    return Ok(None);
                };
                match step(&mut transaction, &backfill, now).await {
                    Ok(step) => {
                        transaction.commit().await?;
                        driven.add(step);
                    }
                    Err(error)
                        if matches!(error.class(), ErrorClass::Data | ErrorClass::Conflict | ErrorClass::Fatal) =>
                    {
                        transaction.rollback().await?;
                        self.leave_alone(&backfill, now).await?;
                        driven.broken.push(error);
                    }
                    Err(error) => return Err(error),
                }
                Ok(Some(backfill.id))
            })
            .await
    }

    async fn leave_alone(&self, backfill: &BackfillRow, now: DateTime<Utc>) -> StoreResult<()> {
        sqlx::query("UPDATE backfills SET looked_at = $3 WHERE merchant_id = $1 AND id = $2 AND state = 'running'")
            .bind(backfill.merchant_id)
            .bind(backfill.id)
            .bind(now + PAUSE)
            .execute(self.pool())
            .await?;
        Ok(())
    }
}

/// What one step did.
#[derive(Default)]
struct Step {
    jobs: Vec<MaterialisedJob>,
    cursor: Option<DateTime<Utc>>,
    exhausted: bool,
    /// It was bounded while there was room for more jobs.
    more: bool,
    completed: bool,
}

impl Driven {
    fn add(&mut self, step: Step) {
        self.backfills += 1;
        self.jobs.extend(step.jobs);
        self.completed += usize::from(step.completed);
        self.more |= step.more;
    }
}

/// One step of a locked backfill. Its live jobs are counted before its ends: what is not live has been counted then.
async fn step(connection: &mut PgConnection, backfill: &BackfillRow, now: DateTime<Utc>) -> StoreResult<Step> {
    let live = count_live(connection, backfill).await?;
    sqlx::query(COUNT_ENDS).bind(backfill.merchant_id).bind(backfill.id).execute(&mut *connection).await?;
    let room = usize::try_from(backfill.max_active).unwrap_or(0).saturating_sub(live);
    let mut step = Step { cursor: backfill.cursor_at, exhausted: backfill.exhausted, ..Step::default() };
    if room > 0 && !backfill.exhausted {
        match template(connection, backfill.merchant(), backfill.template()).await? {
            Some(row) => go_on(connection, backfill, &row, room, &mut step, now).await?,
            // Its deletion waits for this row, to cancel the backfill.
            None => step.exhausted = true,
        }
    }
    step.completed = step.exhausted && live == 0 && step.jobs.is_empty();
    write(connection, backfill, &step, now).await?;
    if step.completed {
        // The template may have waited for it.
        ask_for_review(connection, &[(backfill.merchant_id, backfill.template_id)], ReviewKind::Ended).await?;
    }
    Ok(step)
}

/// By a statement of its own, whose snapshot is younger than the lock: what another manager has just made counts.
async fn count_live(connection: &mut PgConnection, backfill: &BackfillRow) -> StoreResult<usize> {
    let live: i64 = sqlx::query_scalar("SELECT count(*) FROM jobs_live WHERE merchant_id = $1 AND backfill_id = $2")
        .bind(backfill.merchant_id)
        .bind(backfill.id)
        .fetch_one(connection)
        .await?;
    Ok(usize::try_from(live).unwrap_or(usize::MAX))
}

/// Makes up to `room` jobs of the times that come next.
async fn go_on(
    connection: &mut PgConnection,
    backfill: &BackfillRow,
    row: &TemplateRow,
    room: usize,
    step: &mut Step,
    now: DateTime<Utc>,
) -> StoreResult<()> {
    let single = Single::read(connection, row, now).await?;
    if single.freeze_at(now).is_some() {
        // Nothing of the merchant's templates starts.
        return Ok(());
    }
    plan_by_key(connection).await?;
    let reprocess = backfill.parsed_reprocess()?;
    let most = room.min((MOST_JOBS / single.weight()).max(1));
    let mut range =
        Range { from: backfill.from_at, to: backfill.to_at, order: backfill.order(), cursor: backfill.cursor_at };
    for _ in 0..CHUNKS {
        let found = next_times(&single.timetable(), &range, CHUNK);
        let times: Vec<_> =
            found.iter().filter(|occurrence| occurrence.runs()).map(|occurrence| occurrence.at).collect();
        let judged = judge(connection, row, &times).await?;
        let mut wanted: Vec<Wanted> = times
            .into_iter()
            .zip(judged)
            .filter(|(_, judged)| reprocess.wants(judged.fate))
            .map(|(at, judged)| Wanted { at, reason: judged.fate.describe(), seen: judged.seen })
            .collect();
        let left = most - step.jobs.len();
        let is_cut = wanted.len() > left;
        wanted.truncate(left);
        let last = if is_cut { wanted.last().map(|it| it.at) } else { found.last().map(|it| it.at) };
        range.cursor = last.or(range.cursor);
        step.cursor = range.cursor;
        step.jobs.extend(make(connection, backfill, row, &single, &wanted, now).await?);
        if !is_cut && found.len() < CHUNK {
            step.exhausted = true;
            return Ok(());
        }
        if step.jobs.len() >= most {
            break;
        }
    }
    step.more = step.jobs.len() < room;
    Ok(())
}

async fn write(
    connection: &mut PgConnection,
    backfill: &BackfillRow,
    step: &Step,
    now: DateTime<Utc>,
) -> StoreResult<()> {
    sqlx::query(
        "UPDATE backfills
            SET cursor_at = $3, exhausted = $4, created = created + $5, looked_at = $6,
                state = CASE WHEN $7 THEN 'completed' ELSE state END, ended_at = CASE WHEN $7 THEN $6 END
          WHERE merchant_id = $1 AND id = $2",
    )
    .bind(backfill.merchant_id)
    .bind(backfill.id)
    .bind(step.cursor)
    .bind(step.exhausted)
    .bind(i32::try_from(step.jobs.len()).unwrap_or(i32::MAX))
    .bind(now)
    .bind(step.completed)
    .execute(connection)
    .await?;
    Ok(())
}
