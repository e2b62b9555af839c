//! Waiting for a condition instead of for a while.

use std::time::{Duration, Instant};

/// Calls `probe` until it gives a value; panics after `limit`, naming the place that waited.
#[track_caller]
pub fn eventually<T, F, Fut>(limit: Duration, mut probe: F) -> impl Future<Output = T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let caller = std::panic::Location::caller();
    async move {
        let started = Instant::now();
        let mut pause = Duration::from_millis(2);
        loop {
            if let Some(value) = probe().await {
                return value;
            }
            assert!(started.elapsed() < limit, "{caller}: the condition did not hold within {limit:?}");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }
}
