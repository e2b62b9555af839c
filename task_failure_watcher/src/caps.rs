//! Compares the counters of concurrency caps with the claims.

use crate::announcer::Announcer;
use scheduler_core::reconcile::{Progress, Reconcile};
use scheduler_core::store::{Store, StoreError};
use scheduler_core::telemetry::metrics as names;
use std::time::Duration;

/// How often.
pub(crate) const PERIOD: Duration = Duration::from_secs(60);
/// How long a counter that is 0 is kept; one that is in use every now and then need not be made anew each time.
const UNUSED_KEPT: Duration = Duration::from_secs(600);

/// Puts right what differs, and counts it: nothing should.
pub struct Caps {
    store: Store,
    announcer: Announcer,
}

impl Caps {
    /// The duty.
    pub fn new(store: Store, announcer: Announcer) -> Self {
        metrics::counter!(names::CAP_DRIFT_TOTAL).increment(0);
        Self { store, announcer }
    }
}

impl Reconcile for Caps {
    const NAME: &'static str = "caps";
    type Error = StoreError;

    async fn tick(&mut self) -> Result<Progress, StoreError> {
        let checked = self.store.check_caps(UNUSED_KEPT).await?;
        if checked.adopted > 0 {
            tracing::info!(claims = checked.adopted, "claims were counted against caps that are newer than they are");
        }
        metrics::counter!(names::CAP_DRIFT_TOTAL).increment(checked.drifted);
        // There may be a place by now where none seemed to be.
        self.announcer.released(checked.drifted > 0).await;
        Ok(Progress::Idle)
    }
}
