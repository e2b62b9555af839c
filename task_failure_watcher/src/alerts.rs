//! Delivers alerts: at least once, with pauses that grow, until they are taken or given up.

use crate::alert_request::AlertRequest;
use scheduler_core::config::{Secret, Settings};
use scheduler_core::domain::MerchantId;
use scheduler_core::domain::backoff::{Backoff, BackoffKind, Jitter};
use scheduler_core::reconcile::{Progress, Reconcile, Wake};
use scheduler_core::store::alerts::{LeaseOptions, LeasedAlert};
use scheduler_core::store::{Store, StoreError, StoreResult};
use scheduler_core::telemetry::metrics as names;
use std::collections::HashMap;
use std::time::Duration;
use tokio::task::JoinSet;

/// Most deliveries at once.
const AT_ONCE: usize = 32;
/// Most of them for one merchant, so that a slow receiver leaves room for the others.
const AT_ONCE_PER_MERCHANT: usize = 4;
/// What a lease is longer than the attempt: time to write down what came of it.
const LEASE_MARGIN: Duration = Duration::from_secs(10);

/// What the duty needs to know.
#[derive(Clone, Debug)]
pub struct AlertsConfig {
    /// Where alerts of merchants without a receiver of their own go. `None`: nowhere.
    pub url: Option<String>,
    /// What signs those. `None`: they are not signed.
    pub secret: Option<Secret>,
    /// Attempts before an alert is given up.
    pub max_attempts: u32,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// The pauses between attempts; chance takes up to half of each.
    pub pauses: Backoff,
}

impl AlertsConfig {
    /// As the settings say. Ten attempts stretch over half an hour to three quarters.
    pub fn of(settings: &Settings) -> Self {
        let watcher = &settings.watcher;
        let pauses = Backoff {
            kind: BackoffKind::Exponential,
            initial_seconds: 5.0,
            factor: 2.0,
            max_seconds: 3600.0,
            jitter: Jitter::Full,
        };
        Self {
            url: watcher.alert_url.as_ref().map(|url| url.expose().to_owned()),
            secret: watcher.alert_secret.clone(),
            max_attempts: watcher.alert_max_attempts,
            timeout: watcher.alert_timeout,
            pauses,
        }
    }
}

/// Leases due alerts and sends each in a task of its own. Dropped with tasks under way, it loses none: they are due again
/// after their lease.
pub struct Alerts {
    store: Store,
    config: AlertsConfig,
    client: reqwest::Client,
    /// Our own: a delivery that ends makes room for another.
    wake: Wake,
    under_way: JoinSet<()>,
    merchants: HashMap<tokio::task::Id, MerchantId>,
}

impl Alerts {
    /// The duty; `wake` is the one that its loop waits for.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(store: Store, config: AlertsConfig, wake: Wake) -> anyhow::Result<Self> {
        scheduler_core::daemon::install_tls();
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent("task-scheduler")
            .build()?;
        Ok(Self { store, config, client, wake, under_way: JoinSet::new(), merchants: HashMap::new() })
    }

    /// Forgets deliveries that have ended.
    fn collect(&mut self) {
        while let Some(ended) = self.under_way.try_join_next_with_id() {
            let id = match ended {
                Ok((id, ())) => id,
                Err(error) => {
                    tracing::error!(%error, "a delivery has ended unexpectedly; it is due again after its lease");
                    error.id()
                }
            };
            self.merchants.remove(&id);
        }
    }

    async fn lease(&self, limit: usize) -> StoreResult<Vec<LeasedAlert>> {
        let mut except: Vec<MerchantId> = self.merchants.values().copied().collect();
        except.sort_unstable();
        except.dedup();
        let options = LeaseOptions {
            limit,
            per_merchant: AT_ONCE_PER_MERCHANT,
            except: &except,
            lease: self.config.timeout + LEASE_MARGIN,
        };
        self.store.lease_alerts(&options).await
    }

    /// Where an alert goes: the merchant's own receiver with its own secret, or the platform's with the platform's.
    fn request(&self, alert: &LeasedAlert) -> Option<AlertRequest> {
        let (url, secret) = match &alert.receiver {
            Some((url, secret)) => (Some(url), secret.as_deref()),
            None => (self.config.url.as_ref(), self.config.secret.as_ref().map(Secret::expose)),
        };
        url.map(|url| AlertRequest::new(alert, url, secret))
    }

    fn start(&mut self, alert: LeasedAlert, request: AlertRequest) {
        let delivery = Delivery {
            store: self.store.clone(),
            config: self.config.clone(),
            client: self.client.clone(),
            wake: self.wake.clone(),
        };
        let merchant = alert.merchant;
        let task = self.under_way.spawn(async move { delivery.run(alert, request).await });
        self.merchants.insert(task.id(), merchant);
    }
}

impl Reconcile for Alerts {
    const NAME: &'static str = "alerts";
    type Error = StoreError;

    async fn tick(&mut self) -> Result<Progress, StoreError> {
        self.collect();
        let free = AT_ONCE.saturating_sub(self.under_way.len());
        if free == 0 {
            return Ok(Progress::Idle);
        }
        let leased = self.lease(free).await?;
        // Some were found: other merchants may have more.
        let progress = if leased.is_empty() { Progress::Idle } else { Progress::More };
        for alert in leased {
            match self.request(&alert) {
                Some(request) => self.start(alert, request),
                // Nobody wants to know; not worth a metric or a line in the log.
                None => drop(self.store.alert_given_up(&alert, "no alert_url").await?),
            }
        }
        Ok(progress)
    }
}

/// One attempt, and what is written about it.
struct Delivery {
    store: Store,
    config: AlertsConfig,
    client: reqwest::Client,
    wake: Wake,
}

impl Delivery {
    async fn run(self, alert: LeasedAlert, request: AlertRequest) {
        let sent = request.send(&self.client, self.config.timeout).await;
        if let Err(error) = self.write_down(&alert, sent).await {
            tracing::warn!(alert_id = %alert.id, error = format!("{:#}", anyhow::Error::from(error)),
                           "what became of an alert was not written; it is due again after its lease");
        }
        self.wake.wake();
    }

    async fn write_down(&self, alert: &LeasedAlert, sent: Result<(), String>) -> StoreResult<()> {
        let outcome = match sent {
            Ok(()) => {
                self.store.alert_delivered(alert.id).await?;
                "delivered"
            }
            Err(why) if alert.attempt >= self.config.max_attempts => {
                tracing::warn!(alert_id = %alert.id, merchant_id = %alert.merchant, kind = alert.kind, why,
                               attempts = alert.attempt, "an alert was given up");
                self.store.alert_given_up(alert, &why).await?;
                "given_up"
            }
            Err(why) => {
                // Half of the pause for certain, the other half by chance.
                let chance = rand::random_range(0.5..=1.0);
                self.store.alert_failed(alert, self.config.pauses.delay(alert.attempt, chance), &why).await?;
                "failed"
            }
        };
        metrics::counter!(names::ALERTS_SENT_TOTAL, "outcome" => outcome).increment(1);
        Ok(())
    }
}
