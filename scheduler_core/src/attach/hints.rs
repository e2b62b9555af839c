//! Hints that only mean "look".

use crate::lifecycle::Shutdown;
use crate::queue::{HintReceiver, Redis, Topic};
use crate::reconcile::Wake;

/// Wakes a loop at each hint of these topics until the soft shutdown. Without hints the loop's period does the work.
pub async fn wake_on(redis: Redis, topics: &[Topic], wake: Wake, shutdown: Shutdown) {
    let mut receiver = match HintReceiver::subscribe(&redis, topics).await {
        Ok(receiver) => receiver,
        Err(error) => {
            tracing::warn!(%error, ?topics, "no hints; the periodic look does the work");
            return;
        }
    };
    loop {
        tokio::select! {
            // Whatever was heard or missed, the answer is the same: look.
            _ = receiver.next() => wake.wake(),
            () = shutdown.soft() => return,
        }
    }
}
