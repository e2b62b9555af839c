//! Recording what fell due before a change, under the version that is about to end.

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
    Fully,
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
        return Ok(Settled::Fully);
    }
    let definition = match row.definition() {
        Ok(definition) => definition,
        Err(error) => {
            tracing::warn!(%error, "a template that cannot be read is changed; it had no occurrences while it was so");
            return Ok(Settled::Fully);
        }
    };
    plan_by_key(connection).await?;
    let mut cursor_at = row.cursor_at;
    for _ in 0..CHUNKS {
        let plan = plan(&definition.schedule, &row.context(), cursor_at, now, now, CHUNK);
        if plan.occurrences.is_empty() {
            return Ok(Settled::Fully);
        }
        cursor_at = plan.cursor_at;
        let entry = [Entry::new(row, &definition, plan)];
        record(connection, &entry, now).await?;
        advance(connection, &[entry[0].cursor()]).await?;
    }
    Ok(Settled::Partly)
}
