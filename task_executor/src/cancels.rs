//! Tells running attempts that their job was called off. The hint only shortens the wait: what was called off is read
//! from the database.

use crate::executor::Shared;
use scheduler_core::attach::RedisWatch;
use scheduler_core::health::LoopHealth;
use scheduler_core::queue::hints::Topic;
use scheduler_core::queue::{Hint, HintReceiver};
use std::sync::Arc;
use std::time::Duration;

/// How often the database is asked without a hint.
const EVERY: Duration = Duration::from_secs(1);
/// Least time between two looks, however many hints arrive.
const LEAST: Duration = Duration::from_millis(20);

/// Looks for ever; is dropped with the executor.
pub(crate) async fn run(shared: Arc<Shared>, redis: RedisWatch, health: LoopHealth) {
    let mut hints = None;
    loop {
        look(&shared).await;
        health.progress();
        tokio::time::sleep(LEAST).await;
        tokio::select! {
            () = hint(&shared, &redis, &mut hints) => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Waits for a hint about something that runs here.
async fn hint(shared: &Shared, redis: &RedisWatch, hints: &mut Option<HintReceiver>) {
    let hints = match hints {
        Some(hints) => hints,
        None => {
            redis.up().await;
            match HintReceiver::subscribe(redis.redis(), &[Topic::Cancel]).await {
                Ok(subscribed) => hints.insert(subscribed),
                Err(_) => return std::future::pending().await,
            }
        }
    };
    loop {
        match hints.next().await {
            Hint::Cancel(member) if shared.running.holds(member) => return,
            Hint::Missed => return,
            _ => {}
        }
    }
}

async fn look(shared: &Shared) {
    for session in shared.running.sessions() {
        match shared.stores.watch.cancel_requests(session).await {
            Ok(called_off) => called_off.iter().for_each(|claim| shared.running.cancel(claim.token)),
            Err(error) => tracing::debug!(?error, "cancel requests were not read"),
        }
    }
}
