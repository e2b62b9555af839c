//! The webhook receiver of the benchmarks: remembers when each numbered delivery arrived first.

use anyhow::Context as _;
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::post;
use chrono::{DateTime, Utc};
use scheduler_core::clock::Clock;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// When a delivery arrived, on both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// For waits that began in this process.
    pub monotonic: Instant,
    /// For waits that began at a time of day.
    pub utc: DateTime<Utc>,
}

#[derive(Debug)]
struct Shared {
    arrivals: Mutex<Vec<Option<Arrival>>>,
    arrived: Notify,
    clock: Clock,
}

/// A receiver on a loopback port.
#[derive(Debug)]
pub struct Sink {
    base: String,
    shared: Arc<Shared>,
}

impl Sink {
    /// Listens for deliveries numbered below `count`.
    pub async fn start(count: usize) -> anyhow::Result<Self> {
        let shared = Shared { arrivals: Mutex::new(vec![None; count]), arrived: Notify::new(), clock: Clock::local() };
        let shared = Arc::new(shared);
        let app = Router::new().route("/{number}", post(receive)).with_state(shared.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let base = format!("http://{}", listener.local_addr()?);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self { base, shared })
    }

    /// The URL of one number.
    pub fn url(&self, number: usize) -> String {
        format!("{}/{number}", self.base)
    }

    /// How many different numbers have arrived.
    pub fn received(&self) -> usize {
        self.shared.arrivals.lock().unwrap_or_else(PoisonError::into_inner).iter().flatten().count()
    }

    /// Waits for one number.
    pub async fn wait_for(&self, number: usize, limit: Duration) -> anyhow::Result<Arrival> {
        let found = async {
            loop {
                let arrived = self.shared.arrived.notified();
                if let Some(arrival) = self.shared.arrivals.lock().unwrap_or_else(PoisonError::into_inner)[number] {
                    return arrival;
                }
                arrived.await;
            }
        };
        tokio::time::timeout(limit, found)
            .await
            .with_context(|| format!("delivery {number} has not arrived within {limit:?}; may executors reach 127.0.0.1 (executor.allow_private_addresses)?"))
    }
}

async fn receive(State(shared): State<Arc<Shared>>, Path(number): Path<usize>) {
    let arrival = Arrival { monotonic: Instant::now(), utc: shared.clock.now() };
    let mut arrivals = shared.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(slot) = arrivals.get_mut(number) {
        slot.get_or_insert(arrival);
    }
    drop(arrivals);
    shared.arrived.notify_waiters();
}
