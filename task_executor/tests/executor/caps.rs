//! Concurrency caps over several executors, and with one that vanishes.

use crate::support::{SOON, World};
use scheduler_core::domain::JobId;
use scheduler_core::store::queue_settings::QueueChange;
use std::time::Duration;
use test_support::seed::JobSeed;
use test_support::{Receiver, Script, eventually};

async fn limited(world: &World, limit: i32) {
    let change = QueueChange { concurrency: Some(Some(limit)), ..QueueChange::default() };
    world.db.store().change_queue(world.merchant, "default", &change).await.unwrap();
}

/// How many attempts ran at the same moment at most, by their stored times.
const MOST_AT_ONCE: &str = "
    SELECT max(n) FROM (
        SELECT count(*) AS n FROM jobs_finished a JOIN jobs_finished b
            ON b.started_at <= a.started_at AND b.finished_at > a.started_at
         GROUP BY a.id) AS at_once";

#[tokio::test(flavor = "multi_thread")]
async fn two_executors_together_keep_to_the_cap() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    receiver.answer(vec![Script::status(200).delay(Duration::from_millis(60)); 12]);
    limited(&world, 2).await;
    let mut jobs: Vec<JobId> = Vec::new();
    for _ in 0..12 {
        jobs.push(world.webhook(&receiver.url("/")).await);
    }
    let executors = [world.start(&[]), world.start(&[])];
    let done = "SELECT count(*) FROM jobs_finished WHERE state = 'succeeded' AND attempt = 1";
    eventually(2 * SOON, || async {
        // As a populator would, which knows nothing of places.
        world.push(&jobs).await;
        (world.number(done).await == 12).then_some(())
    })
    .await;
    assert_eq!(world.number(MOST_AT_ONCE).await, 2);
    for executor in executors {
        executor.drain().await;
    }
    assert_eq!(world.number("SELECT sum(running) FROM cap_counters").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_full_caps_are_in_nobodys_way() {
    let world = World::new().await;
    let held = JobSeed { concurrency_key: Some("a".to_owned()), ..JobSeed::due(world.merchant) };
    let (session, first) = (world.session().await, held.clone().insert(world.db.store()).await);
    let running = world.claim_one(session, first).await.key;
    let waiting = JobSeed { id: JobSeed::due(world.merchant).id, ..held }.insert(world.db.store()).await;
    let free = JobSeed::due(world.merchant).insert(world.db.store()).await;
    let executor = world.start(&[("redis.url", "redis://127.0.0.1:1")]);
    world.until_state(free, "succeeded").await;
    assert_eq!(world.state(waiting).await.as_deref(), Some("scheduled"));
    world.results.hand_back(&[running]).await.unwrap();
    world.until_state(waiting, "succeeded").await;
    world.until_state(first, "succeeded").await;
    executor.drain().await;
}
