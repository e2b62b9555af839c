//! What became of nominal times so far, from the ledger and the jobs.

use crate::domain::backfill::Fate;
use crate::domain::{JobState, OccurrenceOutcome};
use crate::store::templates::row::TemplateRow;
use crate::store::{StoreError, StoreResult};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use std::collections::HashMap;
use uuid::Uuid;

/// The record of a nominal time, as it was judged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Seen {
    pub outcome: String,
    pub job: Option<Uuid>,
}

/// What became of a nominal time, and its record.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    pub fate: Fate,
    pub seen: Option<Seen>,
}

impl Judged {
    const UNRECORDED: Self = Self { fate: Fate::Unrecorded, seen: None };
}

type Row = (DateTime<Utc>, String, Option<Uuid>, bool);

const RECORDS: &str = "
    SELECT o.nominal_at, o.outcome, o.job_id,
           (SELECT j.id FROM jobs_live j WHERE j.merchant_id = o.merchant_id AND j.id = o.job_id) IS NOT NULL
      FROM occurrences o
     WHERE o.merchant_id = $1 AND o.template_id = $2 AND o.nominal_at = ANY ($3)
       AND o.nominal_at >= $4 AND o.nominal_at <= $5";

/// What became of each of these times, in their order. `times` are next to each other, whatever their order.
pub(super) async fn judge(
    connection: &mut PgConnection,
    row: &TemplateRow,
    times: &[DateTime<Utc>],
) -> StoreResult<Vec<Judged>> {
    let (Some(first), Some(last)) = (times.iter().min(), times.iter().max()) else {
        return Ok(Vec::new());
    };
    let records: Vec<Row> = sqlx::query_as(RECORDS)
        .bind(row.merchant_id)
        .bind(row.id)
        .bind(times)
        .bind(first)
        .bind(last)
        .fetch_all(&mut *connection)
        .await?;
    let ends = ends_of(connection, row, &records).await?;
    let read = |(at, outcome, job, live): Row| {
        let known = OccurrenceOutcome::parse(&outcome).ok_or_else(|| {
            StoreError::corrupt("occurrences", "outcome", format!("{}/{at}", row.template()), &outcome)
        })?;
        let fate = match job.filter(|_| has_run(&outcome)) {
            None => Fate::WithoutJob(known),
            Some(_) if live => Fate::Live,
            Some(job) => Fate::Ended(ends.get(&job).copied()),
        };
        Ok((at, Judged { fate, seen: Some(Seen { outcome, job }) }))
    };
    let mut judged: HashMap<DateTime<Utc>, Judged> = records.into_iter().map(read).collect::<StoreResult<_>>()?;
    Ok(times.iter().map(|at| judged.remove(at).unwrap_or(Judged::UNRECORDED)).collect())
}

/// Whether an outcome's job is one that was to run.
fn has_run(outcome: &str) -> bool {
    outcome == OccurrenceOutcome::Dispatched.as_str() || outcome == OccurrenceOutcome::Backfilled.as_str()
}

/// How those of the jobs ended that did. The ids of jobs sort by creation, and jobs of times next to each other were made next
/// to each other, by the schedule as by a backfill: two short stretches of an index in each partition.
async fn ends_of(
    connection: &mut PgConnection,
    row: &TemplateRow,
    records: &[Row],
) -> StoreResult<HashMap<Uuid, JobState>> {
    let mut ends = HashMap::new();
    for outcome in [OccurrenceOutcome::Dispatched, OccurrenceOutcome::Backfilled] {
        let of_outcome = records.iter().filter(|(_, name, _, live)| name == outcome.as_str() && !live);
        let jobs: Vec<Uuid> = of_outcome.filter_map(|(_, _, job, _)| *job).collect();
        let (Some(first), Some(last)) = (jobs.iter().min(), jobs.iter().max()) else { continue };
        let rows: Vec<(Uuid, String)> = sqlx::query_as(
            "SELECT id, state FROM jobs_finished
              WHERE merchant_id = $1 AND template_id = $2 AND id >= $3 AND id <= $4 AND (id = ANY ($5)) IS TRUE",
        )
        .bind(row.merchant_id)
        .bind(row.id)
        .bind(first)
        .bind(last)
        .bind(&jobs)
        .fetch_all(&mut *connection)
        .await?;
        ends.extend(rows.into_iter().filter_map(|(job, state)| Some((job, state.parse().ok()?))));
    }
    Ok(ends)
}
