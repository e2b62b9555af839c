//! Keeping plans to the keys, whatever the statistics say.
//!
//! The live tables swing between empty and full. A plan made by statistics from the empty time takes every search to find
//! one row, however it is done, and reads a table whole once for each row of a batch: minutes instead of milliseconds.
//! So statements over batches leave the planner no choice:
//!
//! * A changed table is joined with the batch by `t.merchant_id = ANY (ARRAY[w.merchant_id]) AND t.id = w.id`. That is the
//!   same as `=`, but only good for a search by key per row of the batch: no order of the key's index helps such a join,
//!   so the index is never read whole to stand on the outer side.
//! * No table is scanned whole: [`crate::store::StoreRole::Results`], or [`plan_by_key`] for the rest of a transaction.
//! * A condition that a partial index fits (`state`, a nullable time) is written so that it does not: `state || ''`,
//!   `(… IS NOT NULL) IS TRUE`, `coalesce(…)`. What orders the locks is the batch's columns and not the table's.
//! * What is only looked up stands in a lateral subquery behind `OFFSET 0` or in a scalar subquery: neither is turned into
//!   a join.
//! * A time that bounds an index is a parameter or `statement_timestamp()`; `clock_timestamp()` may change from row to row
//!   and bounds nothing.
//!
//! Row addresses (`ctid`) are for rows that nobody can have moved since the statement began: a row that somebody updates
//! meanwhile would be passed over.

use super::StoreResult;
use sqlx::PgConnection;

/// Plans for the rest of the transaction go by key only.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn plan_by_key(connection: &mut PgConnection) -> StoreResult<()> {
    sqlx::query(
        "SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
                set_config('enable_mergejoin', 'off', true)",
    )
    .execute(connection)
    .await?;
    Ok(())
}
