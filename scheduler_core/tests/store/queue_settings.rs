//! Changing queues and merchants.

use crate::world::{Said, World};
use scheduler_core::store::queue_settings::{QueueChange, QueueChanged};
use std::time::Duration;
use test_support::seed::JobSeed;

fn lane(name: &str) -> QueueChange {
    QueueChange { lane: Some(name.to_owned()), ..QueueChange::default() }
}

fn limit(limit: Option<i32>) -> QueueChange {
    QueueChange { concurrency: Some(limit), ..QueueChange::default() }
}

#[tokio::test]
async fn a_limit_counts_what_runs_already_and_can_be_taken_away() {
    let world = World::new().await;
    let running = [world.run(world.job().await).await, world.run(world.job().await).await];
    let waiting = world.job().await;
    world.store().change_queue(world.merchant, "default", &limit(Some(1))).await.unwrap();
    assert_eq!(world.counted().await, 2);
    world.succeed(running[0]).await;
    assert_eq!(world.said_one(world.key(waiting)).await, Said::OverCap, "one runs still");
    world.store().change_queue(world.merchant, "default", &limit(None)).await.unwrap();
    let key = world.run(waiting).await;
    world.succeed(running[1]).await;
    world.succeed(key).await;
    assert_eq!(world.counted().await, 0);
}

#[tokio::test]
async fn a_merchants_limit_holds_for_queues_that_are_made_later() {
    let world = World::new().await;
    assert!(world.store().set_merchant_concurrency(world.merchant, Some(1)).await.unwrap());
    world.store().ensure_queues(world.merchant, &["later"]).await.unwrap();
    world.store().change_queue(world.merchant, "latest", &QueueChange::default()).await.unwrap();
    let mut keys = Vec::new();
    for queue in ["later", "latest", "default"] {
        let seed = JobSeed { queue: queue.to_owned(), ..JobSeed::due(world.merchant) };
        keys.push(world.key(seed.insert(world.store()).await));
    }
    assert_eq!(world.said(&keys).await, [Said::Granted, Said::OverCap, Said::OverCap]);
    assert!(
        !world
            .store()
            .set_merchant_concurrency(scheduler_core::domain::MerchantId(uuid::Uuid::nil()), None)
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn a_queue_is_made_when_it_is_new_and_keeps_what_is_not_named() {
    let world = World::new().await;
    let changed = world.store().change_queue(world.merchant, "new", &lane("slow")).await.unwrap();
    assert_eq!(changed, QueueChanged { created: true, moved: false });
    let changed = world.store().change_queue(world.merchant, "new", &limit(Some(3))).await.unwrap();
    assert_eq!(changed, QueueChanged { created: false, moved: false });
    let queue = world.store().queue(world.merchant, "new").await.unwrap().unwrap();
    assert_eq!((queue.lane.as_str(), queue.concurrency, queue.concurrency_key_limit), ("slow", Some(3), 1));
}

#[tokio::test]
async fn jobs_of_any_state_follow_their_queue_to_another_lane() {
    let world = World::new().await;
    let running = world.run(world.job().await).await;
    for state in ["scheduled", "blocked"] {
        JobSeed { state, ..JobSeed::due(world.merchant) }.insert(world.store()).await;
    }
    JobSeed::failed(world.merchant, 1, true).insert(world.store()).await;
    let stays = JobSeed { queue: "other".to_owned(), ..JobSeed::due(world.merchant) }.insert(world.store()).await;
    let changed = world.store().change_queue(world.merchant, "default", &lane("slow")).await.unwrap();
    assert!(changed.moved);
    assert_eq!(world.store().moved_queues().await.unwrap().len(), 1);

    let (mut after, mut moved) = (None, 0);
    loop {
        let (jobs, next) = world.results.move_jobs(world.merchant, "default", after, 2).await.unwrap();
        moved += jobs;
        after = next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(moved, 4);
    assert_eq!(world.number("SELECT count(*) FROM jobs_live WHERE lane = 'slow'").await, 4);
    assert_eq!(
        world.number(&format!("SELECT count(*) FROM jobs_live WHERE lane = 'default' AND id = '{stays}'")).await,
        1
    );
    world.succeed(running).await;

    world.store().forget_move(world.merchant, "default", Duration::from_secs(60)).await.unwrap();
    assert_eq!(world.store().moved_queues().await.unwrap().len(), 1, "too early");
    world.store().forget_move(world.merchant, "default", Duration::ZERO).await.unwrap();
    assert!(world.store().moved_queues().await.unwrap().is_empty());
}
