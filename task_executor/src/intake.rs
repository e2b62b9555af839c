//! The loop that takes ready jobs in. Several of them run for each lane, so that one's claim is under way while another waits
//! for ids.

use crate::appetite::Appetite;
use crate::dispatch;
use crate::lane::Lane;
use crate::slots::Reserved;
use crate::source::Source;
use scheduler_core::health::LoopHealth;
use std::sync::Arc;
use std::time::Duration;

/// A loop that waits for places reports this often that it is well.
const REPORT: Duration = Duration::from_secs(5);

/// Takes jobs in until the soft shutdown.
pub(crate) async fn run(lane: Arc<Lane>, mut source: Source, mut appetite: Appetite, health: LoopHealth) {
    let shutdown = lane.shared.shutdown.clone();
    while !shutdown.is_soft() {
        health.progress();
        let places = tokio::select! {
            places = places(&lane, appetite.now(), &health) => places,
            () = shutdown.soft() => break,
        };
        // Without a session nothing can be claimed, and what was popped would be lost until the next sweep.
        tokio::select! {
            _ = lane.shared.sessions.alive() => {}
            () = tokio::time::sleep(REPORT) => continue,
            () = shutdown.soft() => break,
        }
        let asked = places.len();
        // Not cut short by a shutdown: ids that have left Redis are better claimed (and handed back) than forgotten.
        let members = source.take(asked).await;
        appetite.fed(asked, members.len());
        if members.is_empty() {
            continue;
        }
        let granted = dispatch::offer(&lane, members, places).await;
        source.settle(granted).await;
    }
    health.finished();
}

async fn places(lane: &Lane, most: usize, health: &LoopHealth) -> Reserved {
    let reserving = lane.slots.reserve(most);
    tokio::pin!(reserving);
    loop {
        tokio::select! {
            places = &mut reserving => return places,
            // All places taken by long attempts is no illness.
            () = tokio::time::sleep(REPORT) => health.progress(),
        }
    }
}
