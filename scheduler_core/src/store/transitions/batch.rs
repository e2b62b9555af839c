//! Running a statement over a batch that may have to be repeated in parts.

use crate::store::{Db, StoreResult};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Connection, Postgres};

/// Runs a statement that passes over locked rows (`SKIP LOCKED`). When it fails, its own locks are gone by the time that
/// the error is returned: the server reports an error first and lets go of the rows afterwards, and whoever repeats a
/// part of the batch in that moment on another connection would take the failed attempt for somebody else.
pub(super) async fn fetch_batch(db: &Db, statement: Query<'_, Postgres, PgArguments>) -> StoreResult<Vec<PgRow>> {
    let mut connection = db.acquire().await?;
    let fetching = async {
        match statement.fetch_all(&mut *connection).await {
            Ok(rows) => Ok(rows),
            Err(error) => {
                // Answered when the server is ready for the next statement. If it is not, there is nothing to wait for.
                let _broken_connection = connection.ping().await;
                Err(error.into())
            }
        }
    };
    let outcome = db.within(fetching).await;
    if outcome.is_ok() {
        connection.is_well();
    }
    outcome
}
