//! Making an occurrence what somebody wants it to be.

use super::find::{Record, Standing};
use super::take_back::take_back;
use super::{OccurrenceChange, Refusal};
use crate::domain::MerchantId;
use crate::schedule::Occurrence;
use crate::store::StoreResult;
use crate::store::materialise::{MaterialisedJob, Single};
use crate::store::templates::row::TemplateRow;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Reasons of the jobs that are cancelled for it.
const SKIPPED: &str = "occurrence_skipped";
const MOVED: &str = "occurrence_moved";

/// The jobs that were made; or why nothing may be changed.
type Outcome = StoreResult<Result<Vec<MaterialisedJob>, Refusal>>;

/// Carries a change of one occurrence of the locked template out.
pub(super) async fn carry_out(
    connection: &mut PgConnection,
    row: &TemplateRow,
    single: &Single<'_>,
    standing: &Standing,
    change: OccurrenceChange,
    now: DateTime<Utc>,
) -> Outcome {
    if is_so_already(standing, change) {
        return Ok(Ok(Vec::new()));
    }
    if let Some(why) = refusal(row, single, standing, change, now) {
        return Ok(Err(why));
    }
    if let Record::Planned { job, .. } = standing.record {
        let reason = if change == OccurrenceChange::Skip { SKIPPED } else { MOVED };
        if let Err(why) = take_back(connection, MerchantId(row.merchant_id), job, reason, now).await? {
            return Ok(Err(why));
        }
    }
    forget(connection, row, standing.nominal_at).await?;
    let jobs = match change {
        OccurrenceChange::Skip => {
            record_skip(connection, row, standing.nominal_at, now).await?;
            if row.active && single.timetable().counts_from_ends() {
                single.count_from(connection, standing.nominal_at).await?;
            }
            Vec::new()
        }
        OccurrenceChange::Unskip => match standing.occurrence {
            // Beyond the plan the materialiser comes to it in time, as a resume does to those of a paused template.
            Some(occurrence) if row.active && occurrence.at <= row.cursor_at => {
                single.plan(connection, &occurrence).await?
            }
            _ => Vec::new(),
        },
        OccurrenceChange::Move { to } => {
            let occurrence = standing.occurrence.unwrap_or_else(|| Occurrence::plain(standing.nominal_at));
            single.plan_moved(connection, &occurrence, to).await?
        }
    };
    Ok(Ok(jobs))
}

fn is_so_already(standing: &Standing, change: OccurrenceChange) -> bool {
    match (standing.record, change) {
        (Record::Skipped, OccurrenceChange::Skip) => true,
        (Record::None | Record::Planned { moved_to: None, .. }, OccurrenceChange::Unskip) => true,
        (Record::Planned { moved_to: Some(at), .. }, OccurrenceChange::Move { to }) => at == to,
        _ => false,
    }
}

/// Why nothing may be changed, as far as it does not depend on the job.
fn refusal(
    row: &TemplateRow,
    single: &Single<'_>,
    standing: &Standing,
    change: OccurrenceChange,
    now: DateTime<Utc>,
) -> Option<Refusal> {
    let is_past = standing.nominal_at <= now;
    let counts_from_ends = single.timetable().counts_from_ends();
    match standing.record {
        // Its start may have been put off beyond its time, but back to its time it cannot go then.
        Record::Planned { .. } if is_past && change == OccurrenceChange::Unskip => return Some(Refusal::Past(None)),
        Record::Planned { .. } => {}
        Record::Other(outcome) if is_past => return Some(Refusal::Past(Some(outcome))),
        _ if is_past => return Some(Refusal::Past(None)),
        Record::Skipped if counts_from_ends && row.active => return Some(Refusal::CountedOn),
        Record::None | Record::Other(_) => {
            if let Some(why) = standing.occurrence.and_then(|occurrence| single.left_out(&occurrence)) {
                return Some(Refusal::LeftOut(why));
            }
            if let Record::Other(outcome) = standing.record {
                return Some(Refusal::LeftOut(format!("the ledger says `{}` of it already", outcome.as_str())));
            }
        }
        Record::Skipped | Record::MoveKept => {}
    }
    let OccurrenceChange::Move { to } = change else { return None };
    if !row.active {
        return Some(Refusal::Paused);
    }
    single.freeze_at(to).map(|freeze| Refusal::Frozen { name: freeze.name.clone(), ends_at: freeze.ends_at })
}

async fn forget(connection: &mut PgConnection, row: &TemplateRow, at: DateTime<Utc>) -> StoreResult<()> {
    sqlx::query("DELETE FROM occurrences WHERE merchant_id = $1 AND template_id = $2 AND nominal_at = $3")
        .bind(row.merchant_id)
        .bind(row.id)
        .bind(at)
        .execute(connection)
        .await?;
    Ok(())
}

async fn record_skip(
    connection: &mut PgConnection,
    row: &TemplateRow,
    at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> StoreResult<()> {
    sqlx::query(
        "INSERT INTO occurrences (merchant_id, template_id, nominal_at, outcome, version, created_at)
         VALUES ($1, $2, $3, 'skipped_user', $4, $5)",
    )
    .bind(row.merchant_id)
    .bind(row.id)
    .bind(at)
    .bind(row.version)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}
