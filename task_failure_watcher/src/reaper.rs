//! Takes back what lost sessions were running.

use crate::announcer::Announcer;
use crate::halving::in_halves;
use crate::pace::Pace;
use crate::stores::Stores;
use scheduler_core::config::Settings;
use scheduler_core::domain::{JobId, MerchantId};
use scheduler_core::reconcile::{Progress, Reconcile, Wake};
use scheduler_core::store::transitions::reap::{ReapOptions, Reaped};
use scheduler_core::store::{StoreError, StoreResult};
use scheduler_core::telemetry::metrics as names;
use std::time::{Duration, Instant};

/// After a session was lost, claims that were just being granted to it may still appear; for this long every tick looks
/// at all claims.
const AFTERMATH: Duration = Duration::from_secs(60);
/// Otherwise that often: only claims without any session are left to be found then.
const FULL_LOOK: Duration = Duration::from_secs(10);
/// Pause while the cap on the rate is reached.
const BREATH: Duration = Duration::from_millis(20);
/// From this many jobs in one page on, their next attempts are spread over the time that the page is worth.
const CROWD: usize = 100;

/// What the duty needs to know.
#[derive(Clone, Copy, Debug)]
pub struct ReaperConfig {
    /// Claims per statement.
    pub batch: usize,
    /// Most claims per second.
    pub per_second: u32,
    /// A job that has lost more attempts than this is dead.
    pub max_crashes: u32,
    /// A session without renewal for this long is lost.
    pub lost_after: Duration,
}

impl ReaperConfig {
    /// As the settings say.
    pub fn of(settings: &Settings) -> Self {
        Self {
            batch: settings.watcher.batch,
            per_second: settings.watcher.reap_per_second_max,
            max_crashes: settings.watcher.max_crashes,
            lost_after: settings.session.lost,
        }
    }
}

/// Goes through the claims in key order, a page at a time, so that one that cannot be taken back hides no other.
pub struct Reaper {
    stores: Stores,
    announcer: Announcer,
    config: ReaperConfig,
    alerts: Wake,
    pace: Pace,
    /// The last claim of the page before; `None` between two rounds.
    cursor: Option<(MerchantId, JobId)>,
    last_round: Option<Instant>,
}

impl Reaper {
    /// The duty; `alerts` is woken when a job died.
    pub fn new(stores: &Stores, announcer: Announcer, config: ReaperConfig, alerts: Wake) -> Self {
        let pace = Pace::new(config.per_second, Instant::now());
        Self { stores: stores.clone(), announcer, config, alerts, pace, cursor: None, last_round: None }
    }

    /// Whether to begin or continue a round. A look at all claims is not free, so it needs a reason.
    async fn has_reason(&self) -> StoreResult<bool> {
        let rested = self.last_round.is_none_or(|at| at.elapsed() >= FULL_LOOK);
        Ok(self.cursor.is_some() || rested || self.stores.sweeps.recently_lost(AFTERMATH).await?)
    }

    async fn end_round(&mut self) -> StoreResult<()> {
        self.cursor = None;
        let rested = self.last_round.is_none_or(|at| at.elapsed() >= FULL_LOOK);
        if rested {
            let overdue = self.stores.sweeps.overdue_leases(self.config.lost_after).await?;
            metrics::gauge!(names::LEASES_OVERDUE).set(overdue as f64);
            self.last_round = Some(Instant::now());
        }
        Ok(())
    }

    async fn account(&self, reaped: &Reaped) {
        metrics::counter!(names::JOBS_REAPED_TOTAL).increment(reaped.jobs());
        metrics::counter!(names::JOB_REDELIVERIES_TOTAL).increment(reaped.retried.len() as u64);
        metrics::counter!(names::JOBS_FINISHED_TOTAL, "state" => "cancelled").increment(reaped.cancelled);
        if reaped.dead > 0 {
            metrics::counter!(names::JOBS_FINISHED_TOTAL, "state" => "dead").increment(reaped.dead);
            metrics::counter!(names::JOBS_DEAD_TOTAL, "reason" => "crashed").increment(reaped.dead);
            self.alerts.wake();
        }
        self.announcer.due(&reaped.retried).await;
        self.announcer.ended(reaped.has_dependents).await;
        self.announcer.released(reaped.released_caps).await;
    }

    fn options(&self, jobs: usize) -> ReapOptions {
        let worth = Duration::from_secs_f64(jobs as f64 / f64::from(self.config.per_second.max(1)));
        let spread = if jobs < CROWD { Duration::ZERO } else { worth };
        ReapOptions { max_crashes: self.config.max_crashes, spread }
    }
}

impl Reconcile for Reaper {
    const NAME: &'static str = "reap";
    type Error = StoreError;

    async fn tick(&mut self) -> Result<Progress, StoreError> {
        if !self.has_reason().await? {
            return Ok(Progress::Idle);
        }
        let allowed = self.pace.allowance(Instant::now(), self.config.batch);
        if allowed == 0 {
            tokio::time::sleep(BREATH).await;
            return Ok(Progress::More);
        }
        let page = self.stores.sweeps.lost_claims(self.cursor, allowed).await?;
        self.pace.spend(page.len());
        let options = self.options(page.len());
        let edges = self.stores.edges.clone();
        let written = in_halves(&page, |claims| {
            let edges = edges.clone();
            Box::pin(async move { edges.reap(claims, &options).await })
        })
        .await?;
        for reaped in &written {
            self.account(reaped).await;
        }
        match page.last() {
            Some(last) if page.len() == allowed => {
                self.cursor = Some((last.merchant, last.job));
                Ok(Progress::More)
            }
            _ => {
                self.end_round().await?;
                Ok(Progress::Idle)
            }
        }
    }
}
