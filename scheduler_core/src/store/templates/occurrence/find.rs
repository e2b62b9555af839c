//! Which occurrence is meant, and how it stands.

use super::{ChangeOccurrence, OccurrenceChange, WhichOccurrence};
use crate::domain::timetable::written_precision;
use crate::domain::{JobId, OccurrenceOutcome};
use crate::schedule::Occurrence;
use crate::store::materialise::Single;
use crate::store::templates::row::TemplateRow;
use crate::store::{StoreError, StoreResult};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Nominal times among which the next one that is to run is looked for.
const LOOKED_AT: usize = 20_000;
/// Records of times to come that are read for it.
const MOST_RECORDS: i64 = 5_000;

/// What a request names.
pub(super) enum Found {
    At(Standing),
    NotNominal { before: Option<DateTime<Utc>>, after: Option<DateTime<Utc>> },
    NoNext,
}

/// An occurrence and what is decided about it.
pub(super) struct Standing {
    pub nominal_at: DateTime<Utc>,
    /// By the schedule as it is now; none: it names this time no longer.
    pub occurrence: Option<Occurrence>,
    pub record: Record,
}

/// What the ledger has about an occurrence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Record {
    /// Nothing yet.
    None,
    /// A job.
    Planned { job: JobId, moved_to: Option<DateTime<Utc>> },
    /// Somebody has skipped it.
    Skipped,
    /// It was moved, and then the template was paused.
    MoveKept,
    /// Something that nobody can change.
    Other(OccurrenceOutcome),
}

impl Standing {
    /// What counts each time from the end of the one before it has one time to come. Before it is decided about it is
    /// planned, because the template has to know that it comes next.
    pub fn is_ahead_of_its_count(&self, single: &Single<'_>, row: &TemplateRow) -> bool {
        let is_open = row.active && self.record == Record::None && self.nominal_at > row.cursor_at;
        let is_to_run = |occurrence: Occurrence| single.left_out(&occurrence).is_none();
        is_open && single.timetable().counts_from_ends() && self.occurrence.is_some_and(is_to_run)
    }
}

/// Finds the occurrence that is meant.
pub(super) async fn find(
    connection: &mut PgConnection,
    row: &TemplateRow,
    single: &Single<'_>,
    wanted: &ChangeOccurrence<'_>,
    now: DateTime<Utc>,
) -> StoreResult<Found> {
    match wanted.which {
        WhichOccurrence::At(at) => named(connection, row, single, at).await,
        WhichOccurrence::Next => next(connection, row, single, wanted.change, now).await,
    }
}

/// A time that the schedule does not name any more may still have a record, and a job that is yet to start.
async fn named(
    connection: &mut PgConnection,
    row: &TemplateRow,
    single: &Single<'_>,
    at: DateTime<Utc>,
) -> StoreResult<Found> {
    let timetable = single.timetable();
    let meant = timetable.meant_by(at);
    let from = meant.map_or(at, |occurrence| occurrence.at);
    let width = if meant.is_some() { TimeDelta::microseconds(1) } else { written_precision(at) };
    let recorded = records(connection, row, from - TimeDelta::microseconds(1), Some(from + width), 1).await?;
    match (recorded.into_iter().next(), meant) {
        (Some((nominal_at, record)), occurrence) => Ok(Found::At(Standing { nominal_at, occurrence, record })),
        (None, Some(occurrence)) => {
            let (nominal_at, occurrence) = (occurrence.at, Some(occurrence));
            Ok(Found::At(Standing { nominal_at, occurrence, record: Record::None }))
        }
        (None, None) => {
            let (before, after) = timetable.neighbours(at);
            Ok(Found::NotNominal { before, after })
        }
    }
}

async fn next(
    connection: &mut PgConnection,
    row: &TemplateRow,
    single: &Single<'_>,
    change: OccurrenceChange,
    now: DateTime<Utc>,
) -> StoreResult<Found> {
    let recorded = records(connection, row, now, None, MOST_RECORDS).await?;
    let timetable = single.timetable();
    if change == OccurrenceChange::Unskip {
        let is_altered = |record: &Record| {
            matches!(record, Record::Skipped | Record::MoveKept | Record::Planned { moved_to: Some(_), .. })
        };
        let first = recorded.into_iter().find(|(_, record)| is_altered(record));
        return Ok(first.map_or(Found::NoNext, |(nominal_at, record)| {
            Found::At(Standing { nominal_at, occurrence: timetable.at(nominal_at), record })
        }));
    }
    let recorded: BTreeMap<DateTime<Utc>, Record> = recorded.into_iter().collect();
    let runs = |occurrence: &Occurrence| match recorded.get(&occurrence.at) {
        None => single.left_out(occurrence).is_none(),
        Some(record) => matches!(record, Record::Planned { .. } | Record::MoveKept),
    };
    let next = timetable.occurrences(now).take(LOOKED_AT).find(runs);
    Ok(next.map_or(Found::NoNext, |occurrence| {
        let record = recorded.get(&occurrence.at).copied().unwrap_or(Record::None);
        Found::At(Standing { nominal_at: occurrence.at, occurrence: Some(occurrence), record })
    }))
}

type Row = (DateTime<Utc>, String, Option<Uuid>, Option<DateTime<Utc>>);

/// The records with `after < nominal time < before`, in order.
async fn records(
    connection: &mut PgConnection,
    row: &TemplateRow,
    after: DateTime<Utc>,
    before: Option<DateTime<Utc>>,
    limit: i64,
) -> StoreResult<Vec<(DateTime<Utc>, Record)>> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT nominal_at, outcome, job_id, moved_to FROM occurrences
          WHERE merchant_id = $1 AND template_id = $2 AND nominal_at > $3
            AND nominal_at < coalesce($4, 'infinity'::timestamptz)
          ORDER BY nominal_at LIMIT $5",
    )
    .bind(row.merchant_id)
    .bind(row.id)
    .bind(after)
    .bind(before)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|found| read(row, found)).collect()
}

fn read(row: &TemplateRow, (at, outcome, job, moved_to): Row) -> StoreResult<(DateTime<Utc>, Record)> {
    let known = OccurrenceOutcome::parse(&outcome)
        .ok_or_else(|| StoreError::corrupt("occurrences", "outcome", format!("{}/{at}", row.template()), &outcome))?;
    let record = match (known, job) {
        (OccurrenceOutcome::Dispatched, Some(job)) => Record::Planned { job: JobId(job), moved_to },
        (OccurrenceOutcome::SkippedUser, _) => Record::Skipped,
        (OccurrenceOutcome::MissedPaused, None) if moved_to.is_some() => Record::MoveKept,
        (other, _) => Record::Other(other),
    };
    Ok((at, record))
}
