//! Recording what fell due before a change, under the version that is about to end.

use super::Surroundings;
use super::plan::plan;
use super::record::{Entry, advance, record};
use crate::store::StoreResult;
use crate::store::plans::plan_by_key;
use crate::store::templates::row::TemplateRow;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Occurrences per statement.
const CHUNK: usize = 1_000;
/// Statements per change; a second's worth of work. More is left to the next try.
const CHUNKS: usize = 50;

/// How far [`settle`] got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Settled {
    /// Everything up to now has its record.
    Fully {
        /// Occurrences that were to run, with those.
        runs: i64,
    },
    /// Something is left; what was recorded should be committed.
    Partly,
}

/// Records the occurrences of a locked template up to `now`, by the rule for the past ([`plan`]).
///
/// Ordinarily there are none, because the recurrence manager works ahead; after an outage there may be many. A template
/// that does not fire has none, and of a template that cannot be read nobody can say which they are: a change is
/// what repairs it.
pub(crate) async fn settle(
    connection: &mut PgConnection,
    row: &TemplateRow,
    now: DateTime<Utc>,
) -> StoreResult<Settled> {
    if !row.active || row.next_at.is_none() || row.cursor_at >= now {
        return Ok(Settled::Fully { runs: row.runs });
    }
    let definition = match row.definition() {
        Ok(definition) => definition,
        Err(error) => {
            tracing::warn!(%error, "a template that cannot be read is changed; it had no occurrences while it was so");
            return Ok(Settled::Fully { runs: row.runs });
        }
    };
    let surroundings = Surroundings::read(connection, [(row, &definition.schedule)].into_iter()).await?;
    if let Err(error) = surroundings.check(row, &definition.schedule) {
        tracing::warn!(%error, "a template that cannot be evaluated is changed; it had no occurrences while it was so");
        return Ok(Settled::Fully { runs: row.runs });
    }
    plan_by_key(connection).await?;
    let mut planning = surroundings.planning(row, &definition, now);
    for _ in 0..CHUNKS {
        let plan = plan(&planning, now, (CHUNK / definition.weight()).max(1));
        if plan.occurrences.is_empty() {
            return Ok(Settled::Fully { runs: plan.runs });
        }
        (planning.cursor_at, planning.settled_until, planning.runs) = (plan.cursor_at, plan.cursor_at, plan.runs);
        if let Some(end) = plan.counted_from {
            planning.timetable = planning.timetable.after_end_at(end);
        }
        let entry = [Entry::new(row, &definition, plan, planning.timetable)];
        record(connection, &entry, now).await?;
        advance(connection, &[entry[0].cursor()]).await?;
    }
    Ok(Settled::Partly)
}
