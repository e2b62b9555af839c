//! Finding and locking the templates whose next occurrence is near.

use crate::store::columns::row_limit;
use crate::store::templates::row::{TemplateRow, template_columns};
use crate::store::{StoreError, StoreResult};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// How long a template that cannot be materialised is left alone.
pub(super) const PAUSE: TimeDelta = TimeDelta::seconds(60);

/// Read in the order of the index `templates_due`: the cost is that of the rows found. A row that another manager (or a
/// change) has locked is passed over; it is looked after, or comes again in the next tick.
const LOCK_DUE: &str = concat!(
    "SELECT ",
    template_columns!(),
    " FROM templates WHERE next_at <= $1 ORDER BY next_at LIMIT $2 FOR UPDATE SKIP LOCKED"
);

/// Locks up to `limit` templates that have an occurrence up to `horizon`, the most overdue first.
pub(super) async fn lock_due(
    connection: &mut PgConnection,
    horizon: DateTime<Utc>,
    limit: usize,
) -> StoreResult<Vec<TemplateRow>> {
    // Planned anew each time: a plan that was made while the table was small would scan it whole when it no longer is.
    let rows =
        sqlx::query_as(LOCK_DUE).persistent(false).bind(horizon).bind(row_limit(limit)).fetch_all(connection).await?;
    Ok(rows)
}

/// Leaves a template alone for [`PAUSE`], unless it has been changed meanwhile. Only `next_at` (when to look) moves and
/// not `cursor_at` (what is recorded), from which the evaluation goes on as soon as it can: nothing is lost.
pub(super) async fn postpone(
    connection: &mut PgConnection,
    (merchant, template, version): (Uuid, Uuid, i32),
    horizon: DateTime<Utc>,
) -> StoreResult<()> {
    sqlx::query(
        "UPDATE templates SET next_at = $4
          WHERE merchant_id = $1 AND id = $2 AND version = $3 AND next_at IS NOT NULL",
    )
    .bind(merchant)
    .bind(template)
    .bind(version)
    .bind(horizon + PAUSE)
    .execute(connection)
    .await
    .map_err(StoreError::from)?;
    Ok(())
}
