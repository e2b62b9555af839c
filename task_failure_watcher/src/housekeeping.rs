//! Deletes rows whose time is over: idempotency keys, old sessions, closed alerts and incidents, backfills.

use scheduler_core::reconcile::{Progress, Reconcile};
use scheduler_core::store::{Store, StoreError};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);
/// How long a lost session can still be looked at.
const SESSIONS_KEPT: Duration = DAY;
/// How long an alert that was delivered or given up can still be looked at.
const ALERTS_KEPT: Duration = DAY.saturating_mul(7);
/// How long an incident that is over can still be looked at.
const INCIDENTS_KEPT: Duration = DAY.saturating_mul(90);
/// How long a backfill that has ended can still be looked at.
const BACKFILLS_KEPT: Duration = DAY.saturating_mul(30);

/// Deletes a page of each kind per tick.
pub struct Housekeeping {
    store: Store,
    batch: usize,
}

impl Housekeeping {
    /// The duty; `batch` is the number of rows per statement.
    pub fn new(store: Store, batch: usize) -> Self {
        Self { store, batch }
    }
}

impl Reconcile for Housekeeping {
    const NAME: &'static str = "housekeeping";
    type Error = StoreError;

    async fn tick(&mut self) -> Result<Progress, StoreError> {
        let deleted = [
            self.store.delete_expired_keys(self.batch).await?,
            self.store.delete_lost_sessions(SESSIONS_KEPT, self.batch).await?,
            self.store.delete_closed_alerts(ALERTS_KEPT, self.batch).await?,
            self.store.delete_resolved_incidents(INCIDENTS_KEPT, self.batch).await?,
            self.store.delete_ended_backfills(BACKFILLS_KEPT, self.batch).await?,
        ];
        let most = deleted.into_iter().max().unwrap_or(0);
        Ok(Progress::of_batch(usize::try_from(most).unwrap_or(usize::MAX), self.batch))
    }
}
