//! Statements of tests that no store function stands for: damage, faults, counters.

use scheduler_core::store::Store;
use sqlx::AssertSqlSafe;

/// Runs statements, separated by semicolons.
pub async fn execute(store: &Store, statements: &str) {
    sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(store.pool()).await.unwrap();
}

/// The one number that a query returns.
pub async fn number(store: &Store, query: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_one(store.pool()).await.unwrap()
}

/// The one text that a query returns; `None` for no row or NULL.
pub async fn text(store: &Store, query: &str) -> Option<String> {
    let row: Option<Option<String>> =
        sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_optional(store.pool()).await.unwrap();
    row.flatten()
}

/// Runs statements on one connection: in a transaction that the test holds open.
pub async fn execute_on(connection: &mut sqlx::PgConnection, statements: &str) {
    sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(connection).await.unwrap();
}
