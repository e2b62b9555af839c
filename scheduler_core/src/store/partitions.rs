//! Daily partitions: made ahead, dropped whole.
//!
//! A partition is dropped with `DROP TABLE`, which needs its parent to itself for a moment. (`DETACH … CONCURRENTLY`
//! is not allowed beside a default partition, and those are what keeps a write from failing when nobody has
//! made its day.) Attaching a new one needs the default partition to itself, to see that it holds no row of that day;
//! records of the ledger that were written ahead move to their day then. Both wait for that moment only briefly: whoever
//! queues behind them waits as long.

use super::columns::row_limit;
use super::{Store, StoreError, StoreResult};
use chrono::NaiveDate;
use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use std::collections::BTreeMap;

/// A table with daily partitions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum DayTable {
    /// Dead letters.
    JobsFinishedDead,
    /// All other ends.
    JobsFinishedOther,
    /// Attempts after which the job went on.
    Executions,
    /// The ledger of templates.
    Occurrences,
}

impl DayTable {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::JobsFinishedDead, Self::JobsFinishedOther, Self::Executions, Self::Occurrences];

    /// The partitioned table.
    pub fn name(self) -> &'static str {
        match self {
            Self::JobsFinishedDead => "jobs_finished_dead",
            Self::JobsFinishedOther => "jobs_finished_other",
            Self::Executions => "executions",
            Self::Occurrences => "occurrences",
        }
    }

    /// Deletes a page of rows older than $1 days from the default partition.
    fn delete_old(self) -> &'static str {
        macro_rules! delete_old {
            ($table:literal, $column:literal) => {
                concat!(
                    "DELETE FROM ",
                    $table,
                    "_default WHERE ctid = ANY (ARRAY(
                         SELECT ctid FROM ",
                    $table,
                    "_default
                          WHERE ",
                    $column,
                    " < ((clock_timestamp() AT TIME ZONE 'UTC')::date - $1)::timestamp
                                                AT TIME ZONE 'UTC'
                          LIMIT $2))"
                )
            };
        }
        match self {
            Self::JobsFinishedDead => delete_old!("jobs_finished_dead", "finished_at"),
            Self::JobsFinishedOther => delete_old!("jobs_finished_other", "finished_at"),
            Self::Executions => delete_old!("executions", "finished_at"),
            Self::Occurrences => delete_old!("occurrences", "nominal_at"),
        }
    }

    /// Counts the rows of the default partition, up to $1.
    fn count_default(self) -> &'static str {
        macro_rules! count_default {
            ($table:literal) => {
                concat!("SELECT count(*) FROM (SELECT 1 FROM ", $table, "_default LIMIT $1) AS counted")
            };
        }
        match self {
            Self::JobsFinishedDead => count_default!("jobs_finished_dead"),
            Self::JobsFinishedOther => count_default!("jobs_finished_other"),
            Self::Executions => count_default!("executions"),
            Self::Occurrences => count_default!("occurrences"),
        }
    }
}

/// What came of making partitions.
#[derive(Debug, Default)]
pub struct PartitionsMade {
    /// The table of each new partition.
    pub made: Vec<DayTable>,
    /// Days whose tables were too busy to be had for a moment; try again later.
    pub busy: Vec<NaiveDate>,
    /// Days whose partitions could not be made. Their rows go to the default partitions.
    pub failed: Vec<(NaiveDate, StoreError)>,
}

/// The days from today on that lack a partition, and of which tables.
const MISSING: &str = "
    SELECT day, parent
      FROM generate_series(0, $1) AS ahead,
           LATERAL (SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date + ahead AS day) AS d,
           unnest($2::text[]) AS parent
     WHERE to_regclass(parent || to_char(day, '\"_\"YYYYMMDD')) IS NULL
     ORDER BY day";

/// Partitions of a table for days that ended before the retention. Only names as `ensure_day_partitions` makes them.
const DROPPABLE: &str = r"
    SELECT c.relname::text
      FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = to_regclass($1) AND c.relname ~ ('^' || $1 || '_\d{8}$')
       AND to_date(right(c.relname, 8), 'YYYYMMDD') < (clock_timestamp() AT TIME ZONE 'UTC')::date - $2
     ORDER BY c.relname";

impl Store {
    /// Makes the partitions of today and the next `ahead_days` days where they are missing. Any number of processes may
    /// do so at once.
    ///
    /// # Errors
    /// When the database does not answer. A single day that cannot be made is no error but noted.
    pub async fn ensure_partitions(&self, ahead_days: u32) -> StoreResult<PartitionsMade> {
        let names: Vec<&str> = DayTable::ALL.iter().map(|table| table.name()).collect();
        let rows: Vec<(NaiveDate, String)> =
            sqlx::query_as(MISSING).bind(days(ahead_days)).bind(names).fetch_all(self.pool()).await?;
        let mut missing: BTreeMap<NaiveDate, Vec<DayTable>> = BTreeMap::new();
        for (day, name) in rows {
            missing.entry(day).or_default().extend(DayTable::ALL.iter().filter(|table| table.name() == name));
        }
        let mut outcome = PartitionsMade::default();
        for (day, tables) in missing {
            match self.execute_briefly(sqlx::query("SELECT ensure_day_partitions_v2($1)").bind(day)).await {
                Ok(true) => outcome.made.extend(tables),
                Ok(false) => outcome.busy.push(day),
                Err(error) if error.is_unavailable() => return Err(error),
                Err(error) => outcome.failed.push((day, error)),
            }
        }
        Ok(outcome)
    }

    /// Names of the partitions whose every row is older than `keep_days` days, the oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn droppable_partitions(&self, table: DayTable, keep_days: u32) -> StoreResult<Vec<String>> {
        let names = sqlx::query_scalar(DROPPABLE).bind(table.name()).bind(days(keep_days));
        Ok(names.fetch_all(self.pool()).await?)
    }

    /// Drops a partition named by [`Store::droppable_partitions`], if it is still there. Returns `false` when the table
    /// was too busy to be had for a moment; try again later.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn drop_partition(&self, name: &str) -> StoreResult<bool> {
        // The name comes from the catalogue and has the shape that DROPPABLE asks for: no quoting can break it.
        let statement = format!("DROP TABLE IF EXISTS \"{}\"", name.replace('"', ""));
        self.execute_briefly(sqlx::query(sqlx::AssertSqlSafe(statement))).await
    }

    /// Runs a statement that needs tables to itself; `false` when it cannot have them within a moment.
    async fn execute_briefly(&self, statement: Query<'_, Postgres, PgArguments>) -> StoreResult<bool> {
        self.pool()
            .within(async {
                let mut transaction = self.pool().begin().await?;
                sqlx::query("SET LOCAL lock_timeout = '200ms'").execute(&mut *transaction).await?;
                match statement.execute(&mut *transaction).await {
                    Ok(_) => transaction.commit().await?,
                    Err(error) if is_lock_timeout(&error) => {
                        transaction.rollback().await?;
                        return Ok(false);
                    }
                    Err(error) => return Err(error.into()),
                }
                Ok(true)
            })
            .await
    }

    /// Deletes rows older than `keep_days` days from the default partition; at most `limit` of them. Returns how many.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn delete_from_default(&self, table: DayTable, keep_days: u32, limit: usize) -> StoreResult<u64> {
        let deleted =
            sqlx::query(table.delete_old()).bind(days(keep_days)).bind(row_limit(limit)).execute(self.pool()).await?;
        Ok(deleted.rows_affected())
    }

    /// Rows in the default partition; `at_most` stands for that many or more.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn rows_in_default(&self, table: DayTable, at_most: u32) -> StoreResult<u32> {
        let rows: i64 =
            sqlx::query_scalar(table.count_default()).bind(i64::from(at_most)).fetch_one(self.pool()).await?;
        Ok(u32::try_from(rows).unwrap_or(at_most))
    }
}

/// A number of days as PostgreSQL subtracts it from a date.
fn days(days: u32) -> i32 {
    i32::try_from(days).unwrap_or(i32::MAX)
}

fn is_lock_timeout(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "55P03")
}
