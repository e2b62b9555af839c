//! Listens for "an attempt failed", so that verdicts follow within milliseconds.

use scheduler_core::lifecycle::Shutdown;
use scheduler_core::queue::hints::Topic;
use scheduler_core::queue::{HintReceiver, Redis};
use scheduler_core::reconcile::Wake;

/// Wakes the loop at each hint until the soft shutdown. Without hints the loop's period does the work.
pub(crate) async fn listen(redis: Redis, verdicts: Wake, shutdown: Shutdown) {
    let mut receiver = match HintReceiver::subscribe(&redis, &[Topic::Failed]).await {
        Ok(receiver) => receiver,
        Err(error) => {
            tracing::warn!(%error, "no hints about failures; the periodic look does the work");
            return;
        }
    };
    loop {
        tokio::select! {
            // Whatever was heard or missed, the answer is the same: look.
            _ = receiver.next() => verdicts.wake(),
            () = shutdown.soft() => return,
        }
    }
}
