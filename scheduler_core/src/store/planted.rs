//! For planted bugs (see [`crate::planted`]) that need more than a word: one transaction torn apart, a cursor kept.

use super::StoreResult;
use super::due::{DueRow, UnitKey, UnitPosition};
use crate::domain::JobId;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use sqlx::PgConnection;
use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;
use uuid::Uuid;

/// How long the rows are nowhere.
const GAP: Duration = Duration::from_millis(400);

/// Takes live rows out, within the transaction that should have kept them.
pub(super) async fn lift(connection: &mut PgConnection, jobs: &[Uuid]) -> StoreResult<serde_json::Value> {
    let lift = "WITH gone AS (DELETE FROM jobs_live WHERE id = ANY($1) RETURNING *)
                SELECT coalesce(jsonb_agg(to_jsonb(gone)), '[]') FROM gone";
    Ok(sqlx::query_scalar(lift).bind(jobs).fetch_one(connection).await?)
}

/// Puts them back a moment later, in a transaction of its own.
pub(super) async fn lay(db: &super::Db, rows: serde_json::Value) -> StoreResult<()> {
    tokio::time::sleep(GAP).await;
    let lay = "INSERT INTO jobs_live SELECT * FROM jsonb_populate_recordset(NULL::jobs_live, $1)";
    sqlx::query(lay).bind(rows).execute(db).await?;
    Ok(())
}

/// The last row that was read of each unit, for ever.
static CURSORS: LazyLock<Mutex<HashMap<UnitKey, (DateTime<Utc>, JobId)>>> = LazyLock::new(Default::default);

/// Of the rows those that lie behind everything that was read before.
pub(super) fn beyond_the_cursor(units: &[UnitPosition<'_>], mut rows: Vec<DueRow>) -> Vec<DueRow> {
    if crate::planted::planted("cursor_skips_late_commits") {
        let mut cursors = CURSORS.lock();
        rows.retain(|row| {
            let (unit, place) = (units[row.unit].key, (row.run_at, row.job));
            let new = cursors.get(unit).is_none_or(|cursor| place > *cursor);
            if new {
                cursors.insert(unit.clone(), place);
            }
            new
        });
    }
    rows
}
