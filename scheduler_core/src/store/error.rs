//! What the database's errors mean to a caller, decided once.
//!
//! | class | what is known | what a caller does |
//! |---|---|---|
//! | `Retry` | nothing was written | does it again after a pause; tells its own caller 503 when it stays so |
//! | `Unknown` | nothing: the commit may have happened | finds out by key, or repeats what may be repeated under the same key |
//! | `Conflict` | a constraint said no | says what is in the way |
//! | `Data` | a value was refused | splits a batch until the bad row stands alone |
//! | `Fatal` | doing it again will not help | gives up and is heard |
//!
//! *Stale* is no error: a guarded statement that touches no row is an answer, and has a name in its function's result.

/// A call to the database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The statement failed; [`StoreError::class`] says what may be done about it.
    #[error("the database refused or did not answer")]
    Database(#[source] sqlx::Error),
    /// A row holds something that the code never writes.
    #[error("corrupt data: {table}.{column} of {row}: {detail}")]
    Corrupt {
        /// Table.
        table: &'static str,
        /// Column.
        column: &'static str,
        /// Key of the row.
        row: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The migrations could not be applied or checked.
    #[error("migrating the database failed")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// The database lacks migrations that this program needs.
    #[error("the database has schema version {found}, this program needs {needed}; run `scheduler migrate`")]
    SchemaTooOld {
        /// Newest migration applied.
        found: i64,
        /// Newest migration known.
        needed: i64,
    },
}

/// What a caller may do about an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorClass {
    /// Nothing was written: do it again (deadlock, serialisation, lock time-out, no connection to be had).
    Retry,
    /// The statement may or may not have been committed: find out by key, do not guess.
    Unknown,
    /// A unique or check constraint said no.
    Conflict,
    /// The statement was refused because of the values it carries.
    Data,
    /// Doing it again will not help.
    Fatal,
}

impl StoreError {
    /// What may be done about it.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Database(error) => class_of(error),
            Self::Corrupt { .. } | Self::Migrate(_) | Self::SchemaTooOld { .. } => ErrorClass::Fatal,
        }
    }

    /// Whether the database cannot be reached or is too busy, as opposed to having said no.
    pub fn is_unavailable(&self) -> bool {
        matches!(self.class(), ErrorClass::Retry | ErrorClass::Unknown)
    }

    /// Name of the violated constraint, if that is what happened.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Database(sqlx::Error::Database(error)) => error.constraint(),
            _ => None,
        }
    }

    /// A value that the code never writes, with its address.
    pub fn corrupt(table: &'static str, column: &'static str, row: impl ToString, detail: impl ToString) -> Self {
        Self::Corrupt { table, column, row: row.to_string(), detail: detail.to_string() }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

/// No connection was to be had, so nothing was sent: whatever the cause, nothing was written.
#[derive(Debug, thiserror::Error)]
#[error("no connection to the database")]
pub(super) struct NotSent(#[source] sqlx::Error);

impl NotSent {
    /// An error of taking or making a connection, as one that says so.
    pub fn because(error: sqlx::Error) -> sqlx::Error {
        match error {
            error @ (sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed) => error,
            error => sqlx::Error::AnyDriverError(Box::new(Self(error))),
        }
    }
}

fn class_of(error: &sqlx::Error) -> ErrorClass {
    match error {
        // Never sent.
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => ErrorClass::Retry,
        sqlx::Error::AnyDriverError(error) if error.is::<NotSent>() => ErrorClass::Retry,
        // Sent, and the answer is missing.
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => ErrorClass::Unknown,
        sqlx::Error::Database(error) => class_of_sqlstate(error.code().as_deref().unwrap_or_default()),
        _ => ErrorClass::Fatal,
    }
}

/// See appendix A of PostgreSQL's manual.
fn class_of_sqlstate(code: &str) -> ErrorClass {
    match code {
        // Serialisation failure, deadlock, lock not available, statement time-out, too many connections.
        "40001" | "40P01" | "55P03" | "57014" | "53300" => ErrorClass::Retry,
        // The server goes away: what was under way was rolled back, unless it was the commit itself.
        "57P01" | "57P02" | "57P03" => ErrorClass::Unknown,
        code => match code.get(..2).unwrap_or_default() {
            "08" => ErrorClass::Unknown,
            "23" => ErrorClass::Conflict,
            "22" => ErrorClass::Data,
            // Out of memory, disk full and the like pass.
            "53" => ErrorClass::Retry,
            _ => ErrorClass::Fatal,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_never_sent_is_known_to_have_changed_nothing() {
        let io = |kind| sqlx::Error::Io(std::io::Error::from(kind));
        assert_eq!(class_of(&io(std::io::ErrorKind::TimedOut)), ErrorClass::Unknown);
        assert_eq!(class_of(&NotSent::because(io(std::io::ErrorKind::ConnectionRefused))), ErrorClass::Retry);
        assert_eq!(class_of(&NotSent::because(sqlx::Error::PoolTimedOut)), ErrorClass::Retry);
    }

    #[test]
    fn sqlstates_are_classified() {
        let cases = [
            ("40P01", ErrorClass::Retry),
            ("57014", ErrorClass::Retry),
            ("08006", ErrorClass::Unknown),
            ("57P01", ErrorClass::Unknown),
            ("23505", ErrorClass::Conflict),
            ("22021", ErrorClass::Data),
            ("42P01", ErrorClass::Fatal),
            ("", ErrorClass::Fatal),
        ];
        for (code, class) in cases {
            assert_eq!(class_of_sqlstate(code), class, "{code}");
        }
    }
}
