//! Makes the partitions of the days to come and drops those that are older than the retention.

use scheduler_core::config::Settings;
use scheduler_core::reconcile::{Progress, Reconcile};
use scheduler_core::store::partitions::DayTable;
use scheduler_core::store::{Store, StoreError, StoreResult};
use scheduler_core::telemetry::metrics as names;
use std::time::Duration;

/// Tries to get a busy table for a moment before the next round has another go.
const TRIES: u32 = 5;
/// Pause between them: whoever queued behind a try goes first.
const BETWEEN_TRIES: Duration = Duration::from_millis(300);
/// Rows that one step deletes from a default partition.
const PAGE: usize = 5_000;
/// Where counting the rows of a default partition stops.
const COUNT_UP_TO: u32 = 100_000;

/// How far ahead and back there are partitions, in days.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Made that many days ahead.
    pub ahead_days: u32,
    /// Finished jobs and the ledger of occurrences.
    pub finished_days: u32,
    /// Dead letters.
    pub dead_days: u32,
}

impl Retention {
    /// As the settings say.
    pub fn of(settings: &Settings) -> Self {
        Self {
            ahead_days: settings.watcher.partitions_ahead_days,
            finished_days: settings.watcher.retention_finished_days,
            dead_days: settings.watcher.retention_dead_days,
        }
    }

    /// How long the rows of a table are kept. Executions are kept as long as the longest-lived job that they may belong
    /// to: a dead letter is read together with what went wrong.
    fn keep_days(&self, table: DayTable) -> u32 {
        match table {
            DayTable::JobsFinishedDead => self.dead_days,
            DayTable::JobsFinishedOther | DayTable::Occurrences => self.finished_days,
            DayTable::Executions => self.finished_days.max(self.dead_days),
        }
    }
}

/// Safe to run in any number of processes: each statement makes or drops what is still missing or there.
pub struct Partitions {
    store: Store,
    retention: Retention,
    /// A round with an unusable day was logged already.
    complained: bool,
}

impl Partitions {
    /// The duty.
    pub fn new(store: Store, retention: Retention) -> Self {
        Self { store, retention, complained: false }
    }

    async fn make(&mut self) -> StoreResult<()> {
        for attempt in 1..=TRIES {
            let outcome = self.store.ensure_partitions(self.retention.ahead_days).await?;
            for table in outcome.made {
                count_change(table, "created");
            }
            self.complain(&outcome.failed);
            let Some(day) = outcome.busy.first() else {
                break;
            };
            if attempt == TRIES {
                tracing::warn!(%day, "partitions of a day are not made because the tables are too busy; trying again next round");
            } else {
                tokio::time::sleep(BETWEEN_TRIES).await;
            }
        }
        Ok(())
    }

    /// Once per streak: the same day fails again each round until it has passed.
    fn complain(&mut self, failed: &[(chrono::NaiveDate, StoreError)]) {
        for (day, error) in failed.iter().filter(|_| !self.complained) {
            tracing::error!(%day, ?error, "partitions of a day cannot be made; its rows go to the default ones");
        }
        self.complained = !failed.is_empty();
    }

    async fn drop_old(&self, table: DayTable) -> StoreResult<()> {
        for name in self.store.droppable_partitions(table, self.retention.keep_days(table)).await? {
            if self.drop_patiently(&name).await? {
                tracing::info!(partition = name, "a partition older than the retention was dropped");
                count_change(table, "dropped");
            } else {
                tracing::warn!(partition = name, "a partition is too busy to be dropped; trying again next round");
            }
        }
        Ok(())
    }

    async fn drop_patiently(&self, name: &str) -> StoreResult<bool> {
        for _ in 1..TRIES {
            if self.store.drop_partition(name).await? {
                return Ok(true);
            }
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
        self.store.drop_partition(name).await
    }

    /// Rows that found no partition of their day are not dropped with one.
    async fn clear_default(&self, table: DayTable) -> StoreResult<Progress> {
        let deleted = self.store.delete_from_default(table, self.retention.keep_days(table), PAGE).await?;
        let rows = self.store.rows_in_default(table, COUNT_UP_TO).await?;
        metrics::gauge!(names::DEFAULT_PARTITION_ROWS, "table" => table.name()).set(f64::from(rows));
        Ok(Progress::of_batch(usize::try_from(deleted).unwrap_or(PAGE), PAGE))
    }
}

impl Reconcile for Partitions {
    const NAME: &'static str = "partitions";
    type Error = StoreError;

    async fn tick(&mut self) -> Result<Progress, StoreError> {
        self.make().await?;
        let mut progress = Progress::Idle;
        for table in DayTable::ALL {
            self.drop_old(table).await?;
            if self.clear_default(table).await? == Progress::More {
                progress = Progress::More;
            }
        }
        Ok(progress)
    }
}

fn count_change(table: DayTable, action: &'static str) {
    metrics::counter!(names::PARTITIONS_CHANGED_TOTAL, "table" => table.name(), "action" => action).increment(1);
}
