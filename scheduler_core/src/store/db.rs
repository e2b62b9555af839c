//! Statements with an end: no call to PostgreSQL waits for ever, and no connection that was left in the middle of
//! something is used again.
//!
//! The server bounds its own work (`statement_timeout`, `lock_timeout`), but a connection whose other end has vanished says
//! nothing at all, for a quarter of an hour if need be. So every statement has a limit on this side too ([`Db::patience`],
//! longer than the server's), a group of statements has one by [`Db::within`], and giving a connection back has one.
//!
//! A call that is abandoned in the middle (its limit, a `select!` that went another way, a client that hung up) leaves its
//! connection in an unknown state, be it in a transaction. The library gives such a connection back to the pool as it
//! is; whoever gets it next hears that a transaction is aborted (25P02), or works in somebody else's. [`Lent`] rolls it
//! back first, and closes it if it does not say that it has.

use super::error::NotSent;
use super::{StoreError, StoreResult};
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Describe, Either, Execute, Executor, PgConnection, PgPool, Postgres, SqlStr};
use std::ops::{Deref, DerefMut};
use std::time::Duration;

/// How much longer than the server's limit a statement may take here, the way there and back: as long as that limit, but
/// from one second to five.
const GRACE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));
/// How long a connection that goes back may take to roll back, or to say that it is well.
const RETURN_PATIENCE: Duration = Duration::from_secs(5);

/// A pool whose every statement has an end. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    pool: PgPool,
    patience: Duration,
}

/// A connection taken from the pool. Dropped, it is rolled back unless [`Lent::is_well`] was said, and then given back.
#[derive(Debug)]
pub struct Lent {
    connection: Option<PoolConnection<Postgres>>,
    well: bool,
}

/// A transaction; rolled back when dropped.
#[derive(Debug)]
pub struct Tx {
    lent: Lent,
    patience: Duration,
}

impl Db {
    /// Over a pool whose server ends statements after `statement_timeout`.
    pub(super) fn new(pool: PgPool, statement_timeout: Duration) -> Self {
        Self { pool, patience: statement_timeout + statement_timeout.clamp(GRACE.0, GRACE.1) }
    }

    /// The pool itself, for its numbers and its end.
    pub(super) fn inner(&self) -> &PgPool {
        &self.pool
    }

    /// The longest time that one statement may take, on its way included.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// A connection for several statements. Say [`Lent::is_well`] when they are done, and put them into [`Db::within`].
    ///
    /// # Errors
    /// When none is free or can be made in time.
    pub async fn acquire(&self) -> Result<Lent, sqlx::Error> {
        let connection = self.pool.acquire().await.map_err(NotSent::because)?;
        Ok(Lent { connection: Some(connection), well: false })
    }

    /// Begins a transaction; put it and what follows into [`Db::within`].
    ///
    /// # Errors
    /// When no connection is to be had, or it does not answer in time.
    pub async fn begin(&self) -> Result<Tx, sqlx::Error> {
        let mut lent = self.acquire().await?;
        // Nothing was written if this fails.
        in_time(self.patience, sqlx::raw_sql("BEGIN").execute(&mut *lent)).await.map_err(NotSent::because)?;
        Ok(Tx { lent, patience: self.patience })
    }

    /// Several statements on one connection, which together may take twice as long as one. Whether they were committed is
    /// unknown if they take longer.
    ///
    /// # Errors
    /// Those of `work`, and when it takes too long.
    pub async fn within<T>(&self, work: impl Future<Output = StoreResult<T>>) -> StoreResult<T> {
        match tokio::time::timeout(self.patience * 2, work).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => Err(StoreError::Database(no_answer(self.patience * 2))),
        }
    }
}

impl<'c> Executor<'c> for &'_ Db {
    type Database = Postgres;

    /// The rows of a statement are few enough to be waited for together.
    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, sqlx::Error>>
    where
        E: 'q + Execute<'q, Postgres>,
    {
        let db = self.clone();
        let answers = async move {
            let mut lent = db.acquire().await?;
            let answers: Result<Vec<_>, _> = in_time(db.patience, lent.fetch_many(query).try_collect()).await;
            lent.judge(&answers);
            answers
        };
        let answers = stream::once(answers).map_ok(|answers| stream::iter(answers.into_iter().map(Ok)));
        answers.try_flatten().boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
    where
        E: 'q + Execute<'q, Postgres>,
    {
        let db = self.clone();
        Box::pin(async move {
            let mut lent = db.acquire().await?;
            let row = in_time(db.patience, lent.fetch_optional(query)).await;
            lent.judge(&row);
            row
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, sqlx::Error>>
    where
        'c: 'e,
    {
        let db = self.clone();
        Box::pin(async move {
            let mut lent = db.acquire().await?;
            let statement = in_time(db.patience, lent.prepare_with(sql, parameters)).await;
            lent.judge(&statement);
            statement
        })
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, sqlx::Error>>
    where
        'c: 'e,
    {
        let db = self.clone();
        Box::pin(async move {
            let mut lent = db.acquire().await?;
            let described = in_time(db.patience, lent.describe(sql)).await;
            lent.judge(&described);
            described
        })
    }
}

impl Lent {
    /// What was begun on it has come to its end: it needs no rollback.
    pub fn is_well(&mut self) {
        self.well = true;
    }

    /// An answer, and be it a refusal, means that nothing is still to come. After any other error nobody knows.
    fn judge<T>(&mut self, outcome: &Result<T, sqlx::Error>) {
        self.well = matches!(outcome, Ok(_) | Err(sqlx::Error::Database(_)));
    }
}

impl Deref for Lent {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection.as_ref().expect("taken only when dropped")
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect("taken only when dropped")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(give_back(connection, self.well))),
            // Nobody is left to wait for an answer: the socket closes, and the server rolls back.
            Err(_) => drop(connection.detach()),
        }
    }
}

/// Back to the pool, or closed when that takes too long. Closing needs no answer: the server rolls back by itself.
async fn give_back(mut connection: PoolConnection<Postgres>, well: bool) {
    if !well {
        let rolled_back = in_time(RETURN_PATIENCE, sqlx::raw_sql("ROLLBACK").execute(&mut *connection)).await;
        if rolled_back.is_err() {
            drop(connection.detach());
            return;
        }
    }
    // It asks the connection whether it is well, for as long as it takes; given up, the connection is closed and its place free.
    let returning = connection.return_to_pool();
    let _closed_if_late = tokio::time::timeout(RETURN_PATIENCE, returning).await;
}

impl Tx {
    /// Commits. Its failure leaves unknown whether it is committed.
    ///
    /// # Errors
    /// When the database does not answer in time, or refuses.
    pub async fn commit(mut self) -> Result<(), sqlx::Error> {
        self.end("COMMIT").await
    }

    /// Rolls back and waits until it is done.
    ///
    /// # Errors
    /// When the database does not answer in time; it rolls back all the same.
    pub async fn rollback(mut self) -> Result<(), sqlx::Error> {
        self.end("ROLLBACK").await
    }

    async fn end(&mut self, word: &'static str) -> Result<(), sqlx::Error> {
        in_time(self.patience, sqlx::raw_sql(word).execute(&mut *self.lent)).await?;
        self.lent.is_well();
        Ok(())
    }
}

impl Deref for Tx {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.lent
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.lent
    }
}

/// The outcome of `work`, or an error like that of a broken connection when it takes longer than `limit`.
async fn in_time<T>(limit: Duration, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_elapsed| Err(no_answer(limit)))
}

fn no_answer(limit: Duration) -> sqlx::Error {
    let why = format!("no answer from the database within {} s", limit.as_secs_f64());
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, why))
}
