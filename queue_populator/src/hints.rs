//! Hearing hints and giving them to whom they concern.

use crate::lanes::Lanes;
use scheduler_core::lifecycle::Shutdown;
use scheduler_core::queue::{Hint, HintReceiver, QueueError, Redis, Topic};
use scheduler_core::reconcile::Wake;

/// Listens until the shutdown.
///
/// # Errors
/// When the URL of Redis cannot be used.
pub async fn listen(redis: &Redis, lanes: Lanes, endings: Wake, shutdown: Shutdown) -> Result<(), QueueError> {
    let mut receiver =
        HintReceiver::subscribe(redis, &[Topic::Due, Topic::Ending, Topic::Lane, Topic::Released]).await?;
    loop {
        let hint = tokio::select! {
            hint = receiver.next() => hint,
            () = shutdown.soft() => return Ok(()),
        };
        match hint {
            Hint::Due(hints) => lanes.deliver(hints),
            Hint::Ending => endings.wake(),
            Hint::Lane(lane) => lanes.sweep(&lane),
            Hint::Released => lanes.place_released(),
            Hint::Missed => {
                lanes.sweep_all();
                endings.wake();
            }
            Hint::Failed | Hint::Cancel(_) | Hint::Template => {}
        }
    }
}
