//! Beginning a backfill, and finding out what it would do.

use super::judge::judge;
use super::read::backfill_in;
use super::template;
use super::times::{Range, next_times};
use crate::domain::backfill::MAX_TIMES;
use crate::domain::{Backfill, BackfillForecast, BackfillId, BackfillOrder, MerchantId, Reprocess, TemplateId};
use crate::store::idempotency::KeyHolder;
use crate::store::materialise::Single;
use crate::store::templates::Keyed;
use crate::store::templates::keyed::{answer, take};
use crate::store::templates::row::TemplateRow;
use crate::store::{Store, StoreError, StoreResult};
use chrono::{DateTime, SubsecRound as _, Utc};
use sqlx::PgConnection;

/// Times that are judged by one statement.
const CHUNK: usize = 500;
/// Times that calendars leave out which are looked at in all.
const MOST_LEFT_OUT: usize = 100_000;
/// The most backfills of a merchant that have not ended.
const MOST_OPEN: i64 = 100;

/// A backfill to be started.
pub struct NewBackfill<'a> {
    /// Whose template.
    pub merchant: MerchantId,
    /// Which template.
    pub template: TemplateId,
    /// The earliest nominal time, inclusive.
    pub from: DateTime<Utc>,
    /// The latest nominal time, inclusive; not in the future.
    pub to: DateTime<Utc>,
    /// In which order.
    pub order: BackfillOrder,
    /// So many jobs are live at a time.
    pub max_active: i32,
    /// Which nominal times.
    pub reprocess: Reprocess,
    /// The present, by the database's clock.
    pub now: DateTime<Utc>,
    /// Only find out what it would do.
    pub dry_run: bool,
    /// The request's idempotency key and what to answer.
    pub key: Option<Keyed<'a, Backfill>>,
}

/// What became of it.
#[derive(Clone, Debug)]
pub enum BackfillStarted {
    /// It is there, and the managers will do it; with nothing to do it is completed already.
    Started(Box<Backfill>),
    /// What it would do.
    Foreseen(BackfillForecast),
    /// The idempotency key was used before.
    KeyTaken(KeyHolder),
    /// There is no such template.
    NotFound,
    /// The range has more times than this.
    TooManyTimes(usize),
    /// The merchant has too many backfills that have not ended.
    TooMany,
    /// The schedule counts each time from the end of the run before it: it has no past but what ran.
    CountsFromEnds,
}

const INSERT: &str = "
    INSERT INTO backfills (merchant_id, id, template_id, state, from_at, to_at, newest_first, max_active, reprocess, total,
                           first_at, last_at, exhausted, looked_at, created_at, ended_at)
    SELECT $1, $2, $3, CASE WHEN $9 = 0 THEN 'completed' ELSE 'running' END, $4, $5, $6, $7, $8, $9, $10, $11, $9 = 0,
           $12, $12, CASE WHEN $9 = 0 THEN $12 END
     WHERE (SELECT count(*) FROM backfills WHERE merchant_id = $1 AND ended_at IS NULL) < $13";

impl Store {
    /// Starts a backfill, or tells what it would do.
    ///
    /// # Errors
    /// When the database does not do it, or the template cannot be read.
    pub async fn start_backfill(&self, new: &NewBackfill<'_>) -> StoreResult<BackfillStarted> {
        self.pool()
            .within(async {
                let mut transaction = self.pool().begin().await?;
                if let Some(holder) = take(&mut transaction, new.merchant, &new.key).await? {
                    transaction.rollback().await?;
                    return Ok(BackfillStarted::KeyTaken(holder));
                }
                let started = start_in(&mut transaction, new).await?;
                match &started {
                    BackfillStarted::Started(backfill) => {
                        answer(&mut transaction, new.merchant, &new.key, &**backfill).await?;
                        transaction.commit().await?;
                    }
                    _ => transaction.rollback().await?,
                }
                Ok(started)
            })
            .await
    }
}

/// [`Store::start_backfill`] in the caller's transaction, which is to be rolled back unless it is started.
async fn start_in(connection: &mut PgConnection, new: &NewBackfill<'_>) -> StoreResult<BackfillStarted> {
    let Some(row) = template(connection, new.merchant, new.template).await? else {
        return Ok(BackfillStarted::NotFound);
    };
    let now = new.now.trunc_subsecs(6);
    let single = Single::read(connection, &row, now).await?;
    if single.timetable().counts_from_ends() {
        return Ok(BackfillStarted::CountsFromEnds);
    }
    // Without a lock: that takes a while, and the steps judge anew what they do.
    let forecast = match foresee(connection, &row, &single, new).await? {
        Some(forecast) => forecast,
        None => return Ok(BackfillStarted::TooManyTimes(MAX_TIMES)),
    };
    if new.dry_run {
        return Ok(BackfillStarted::Foreseen(forecast));
    }
    // So that a deletion comes before it, and is seen here, or after it, and ends it.
    let there =
        sqlx::query("SELECT 1 FROM templates WHERE merchant_id = $1 AND id = $2 AND deleted_at IS NULL FOR SHARE");
    if there.bind(row.merchant_id).bind(row.id).fetch_optional(&mut *connection).await?.is_none() {
        return Ok(BackfillStarted::NotFound);
    }
    let id = BackfillId::new_at(now);
    if !insert(connection, id, new, &forecast, now).await? {
        return Ok(BackfillStarted::TooMany);
    }
    let made = backfill_in(connection, new.merchant, id).await?;
    let made = made.ok_or_else(|| StoreError::corrupt("backfills", "id", id, "gone after it was inserted"))?;
    Ok(BackfillStarted::Started(Box::new(made)))
}

/// Counts the times that there are to run; none when the range has too many.
async fn foresee(
    connection: &mut PgConnection,
    row: &TemplateRow,
    single: &Single<'_>,
    new: &NewBackfill<'_>,
) -> StoreResult<Option<BackfillForecast>> {
    let mut range = Range { from: new.from, to: new.to, order: BackfillOrder::OldestFirst, cursor: None };
    let mut forecast = BackfillForecast { nominal: 0, total: 0, first: None, last: None };
    let mut left_out = 0;
    loop {
        let found = next_times(&single.timetable(), &range, CHUNK);
        let times: Vec<_> =
            found.iter().filter(|occurrence| occurrence.runs()).map(|occurrence| occurrence.at).collect();
        forecast.nominal += times.len();
        left_out += found.len() - times.len();
        if forecast.nominal > MAX_TIMES || left_out > MOST_LEFT_OUT {
            return Ok(None);
        }
        for (at, judged) in times.iter().zip(judge(connection, row, &times).await?) {
            if new.reprocess.wants(judged.fate) {
                forecast.total += 1;
                forecast.first.get_or_insert(*at);
                forecast.last = Some(*at);
            }
        }
        range.cursor = found.last().map(|occurrence| occurrence.at);
        if found.len() < CHUNK {
            return Ok(Some(forecast));
        }
    }
}

async fn insert(
    connection: &mut PgConnection,
    id: BackfillId,
    new: &NewBackfill<'_>,
    forecast: &BackfillForecast,
    now: DateTime<Utc>,
) -> StoreResult<bool> {
    let inserted = sqlx::query(INSERT)
        .bind(new.merchant.0)
        .bind(id.0)
        .bind(new.template.0)
        .bind(new.from)
        .bind(new.to)
        .bind(new.order == BackfillOrder::NewestFirst)
        .bind(new.max_active)
        .bind(new.reprocess.as_str())
        .bind(i32::try_from(forecast.total).unwrap_or(i32::MAX))
        .bind(forecast.first)
        .bind(forecast.last)
        .bind(now)
        .bind(MOST_OPEN)
        .execute(connection)
        .await?;
    Ok(inserted.rows_affected() == 1)
}
