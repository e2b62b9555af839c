//! Jobs without a place under their concurrency caps are held, and come as soon as there is one.

use crate::world::{SOON, World};
use scheduler_core::domain::JobId;
use scheduler_core::queue::HintSender;
use scheduler_core::store::queue_settings::QueueChange;
use std::time::Duration;
use test_support::seed::JobSeed;
use test_support::{eventually, sql};

async fn keyed(world: &World, key: &str) -> JobId {
    JobSeed { concurrency_key: Some(key.to_owned()), ..JobSeed::due(world.merchant) }.insert(world.store()).await
}

/// So many claims count against a cap.
async fn count(world: &World, cap: &str, running: i32) {
    let count = format!(
        "INSERT INTO cap_counters (merchant_id, cap, running) VALUES ('{}', '{cap}', {running})
         ON CONFLICT (merchant_id, cap) DO UPDATE SET running = EXCLUDED.running",
        world.merchant
    );
    sql::execute(world.store(), &count).await;
}

#[tokio::test]
async fn only_as_many_jobs_are_pushed_as_have_a_place() {
    let world = World::new().await;
    let change = QueueChange { concurrency: Some(Some(3)), ..QueueChange::default() };
    world.store().change_queue(world.merchant, "default", &change).await.unwrap();
    count(&world, "queue:default", 1).await;
    world.jobs(world.merchant, 50).await;
    let populator = world.start().await;
    world.until_depth(2).await;
    // A job of another merchant shows that whole sweeps have passed since.
    let other = test_support::seed::merchant(world.store(), "other").await;
    world.jobs(other, 1).await;
    world.until_depth(3).await;
    populator.stop().await;
}

#[tokio::test]
async fn a_held_job_comes_when_a_place_is_released_and_no_sooner() {
    let mut world = World::new().await;
    // No sweep comes in time by itself.
    world.settings.populator.sweep = Duration::from_secs(60);
    count(&world, "key:default a", 1).await;
    keyed(&world, "a").await;
    let free = keyed(&world, "b").await;
    let populator = world.start().await;
    let popper = world.popper("default").await;
    let popped = world.pop(&popper).await;
    assert_eq!(popped.job, free, "the first sweep has passed the held one over");
    world.gone(&[popped]).await;
    assert_eq!(world.depth().await, 0);
    count(&world, "key:default a", 0).await;
    let hints = HintSender::new(world.redis.redis().await);
    eventually(SOON, || async {
        hints.released().await;
        (world.depth().await == 1).then_some(())
    })
    .await;
    populator.stop().await;
}

#[tokio::test]
async fn one_job_of_each_key_goes_and_held_ones_are_in_nobodys_way() {
    let world = World::new().await;
    count(&world, "key:default a", 1).await;
    for _ in 0..30 {
        keyed(&world, "a").await;
    }
    for key in ["b", "b", "c"] {
        keyed(&world, key).await;
    }
    let populator = world.start().await;
    world.until_depth(2).await;
    populator.stop().await;
}
