//! Pushing and popping.

use crate::proxy::Proxy;
use fred::prelude::*;
use scheduler_core::domain::{JobId, MerchantId};
use scheduler_core::queue::{Member, QueueError, ReadyPopper, ReadyQueue, Redis};
use std::time::{Duration, Instant};
use test_support::{TestRedis, eventually};
use uuid::Uuid;

const WAIT: Duration = Duration::from_secs(2);

fn member(n: u128) -> Member {
    Member { merchant: MerchantId(Uuid::from_u128(7)), job: JobId(Uuid::from_u128(n)) }
}

async fn raw(redis: &TestRedis) -> Client {
    let client = Builder::from_config(Config::from_url(redis.url()).unwrap()).build().unwrap();
    client.init().await.unwrap();
    client
}

#[tokio::test]
async fn jobs_come_out_by_score_and_once() {
    let redis = TestRedis::new().await;
    let connection = redis.redis().await;
    let (queue, generation) = (ReadyQueue::new(connection.clone()), Uuid::new_v4());
    let entries = [(2.5, member(2)), (-1.0, member(1)), (1e9, member(3))];
    let outcome = queue.push("default", 5, generation, &entries).await.unwrap();
    assert_eq!((outcome.memory_lost, outcome.depth, outcome.head), (true, 3, Some(-1.0)));
    let again = queue.push("default", 5, generation, &[(99.0, member(1))]).await.unwrap();
    assert_eq!((again.memory_lost, again.depth, again.head), (false, 3, Some(-1.0)), "the first score stays");

    let popper = ReadyPopper::connect(&connection, "default", Duration::from_millis(100)).await.unwrap();
    assert_eq!(popper.pop(2, false).await.unwrap(), [member(1), member(2)]);
    assert_eq!(popper.pop(2, false).await.unwrap(), [member(3)]);
    assert_eq!(popper.pop(2, false).await.unwrap(), []);
    let empty = queue.push("default", 5, generation, &[]).await.unwrap();
    assert_eq!((empty.depth, empty.head), (0, None));
}

#[tokio::test]
async fn a_push_of_many_arrives_whole() {
    let redis = TestRedis::new().await;
    let queue = ReadyQueue::new(redis.redis().await);
    let entries: Vec<_> = (0..2_345).map(|n| (n as f64 / 3.0, member(n))).collect();
    assert_eq!(queue.push("default", 0, Uuid::new_v4(), &entries).await.unwrap().depth, 2_345);
    let depths = queue.depths("default").await.unwrap();
    assert_eq!((depths.len(), depths[0], depths[1]), (10, 2_345, 0));
    queue.clear("default", 0).await.unwrap();
    assert_eq!(queue.depths("default").await.unwrap()[0], 0);
}

#[tokio::test]
async fn the_first_priority_goes_first_unless_asked_otherwise() {
    let redis = TestRedis::new().await;
    let connection = redis.redis().await;
    let (queue, generation) = (ReadyQueue::new(connection.clone()), Uuid::new_v4());
    for priority in [0, 5, 9] {
        queue.push("default", priority, generation, &[(0.0, member(priority.into()))]).await.unwrap();
    }
    let popper = ReadyPopper::connect(&connection, "default", WAIT).await.unwrap();
    assert_eq!(popper.pop(10, true).await.unwrap(), [member(9)]);
    assert_eq!(popper.pop(10, false).await.unwrap(), [member(0)]);
}

#[tokio::test]
async fn a_pop_that_waits_is_woken_by_a_push() {
    let redis = TestRedis::new().await;
    let connection = redis.redis().await;
    let popper = ReadyPopper::connect(&connection, "default", Duration::from_secs(10)).await.unwrap();
    let waiting = tokio::spawn(async move { (popper.pop(1, false).await.unwrap(), Instant::now()) });
    tokio::task::yield_now().await;
    let queue = ReadyQueue::new(connection);
    let pushed = Instant::now();
    queue.push("default", 3, Uuid::new_v4(), &[(0.0, member(1))]).await.unwrap();
    let (popped, at) = waiting.await.unwrap();
    assert_eq!(popped, [member(1)]);
    assert!(at - pushed < WAIT);
}

#[tokio::test]
async fn a_lost_memory_is_noticed_by_the_next_push_on_any_priority() {
    let redis = TestRedis::new().await;
    let (queue, generation) = (ReadyQueue::new(redis.redis().await), Uuid::new_v4());
    let lost = |priority| {
        let queue = queue.clone();
        async move { queue.push("default", priority, generation, &[]).await.unwrap().memory_lost }
    };
    assert!(lost(5).await);
    assert!(!lost(5).await && !lost(2).await);
    redis.forget_everything().await;
    assert!(lost(2).await);
    assert!(!lost(5).await);
}

#[tokio::test]
async fn members_that_others_wrote_are_dropped() {
    let redis = TestRedis::new().await;
    let connection = redis.redis().await;
    let queue = ReadyQueue::new(connection.clone());
    queue.push("default", 5, Uuid::new_v4(), &[(1.0, member(1))]).await.unwrap();
    let key = connection.keys.ready("default", 5);
    let client = raw(&redis).await;
    let junk = vec![(0.0, "short"), (2.0, "a member that is longer than thirty-two bytes")];
    let _added: i64 = client.zadd(key, None, None, false, false, junk).await.unwrap();
    let popper = ReadyPopper::connect(&connection, "default", Duration::from_millis(100)).await.unwrap();
    assert_eq!(popper.pop(10, false).await.unwrap(), [member(1)]);
}

#[tokio::test]
async fn a_push_replaces_keys_of_another_type_and_says_that_memory_was_lost() {
    let redis = TestRedis::new().await;
    let connection = redis.redis().await;
    let (queue, generation, client) = (ReadyQueue::new(connection.clone()), Uuid::new_v4(), raw(&redis).await);
    let (ready, owner) = (connection.keys.ready("default", 5), connection.keys.generation("default"));
    let entries = [(0.0, member(1))];
    for (damaged, depth) in [(ready, 1), (owner, 2)] {
        queue.push("default", 5, generation, &[(1.0, member(2))]).await.unwrap();
        let _: i64 = client.unlink(damaged.clone()).await.unwrap();
        let _: i64 = client.lpush(damaged, "text").await.unwrap();
        let healed = queue.push("default", 5, generation, &entries).await.unwrap();
        assert_eq!((healed.memory_lost, healed.depth), (true, depth));
        assert!(!queue.push("default", 5, generation, &entries).await.unwrap().memory_lost);
    }
}

#[tokio::test]
async fn a_pop_names_a_key_of_another_type_and_healing_removes_it() {
    let redis = TestRedis::new().await;
    let connection = redis.redis().await;
    let (queue, generation, client) = (ReadyQueue::new(connection.clone()), Uuid::new_v4(), raw(&redis).await);
    queue.push("default", 5, generation, &[(0.0, member(1))]).await.unwrap();
    let _: () = client.set(connection.keys.ready("default", 2), "text", None, None, false).await.unwrap();
    let popper = ReadyPopper::connect(&connection, "default", Duration::from_millis(100)).await.unwrap();
    for wait in [Duration::ZERO, WAIT] {
        let refused = popper.pop_within(1, false, wait).await.unwrap_err();
        assert!(refused.is_wrong_type() && refused.refusal().is_some(), "{refused:?}");
    }
    assert_eq!((queue.heal("default").await.unwrap(), queue.heal("default").await.unwrap()), (1, 0));
    assert_eq!(popper.pop_within(1, false, Duration::ZERO).await.unwrap(), [member(1)]);
    assert_eq!(popper.pop_within(1, false, Duration::ZERO).await.unwrap(), []);
    assert!(queue.probe("default", 5, generation).await.unwrap().memory_lost, "the populator notices");
    assert!(!queue.probe("default", 5, generation).await.unwrap().memory_lost);
}

#[tokio::test]
async fn without_a_connection_everything_fails_at_once_and_works_again_later() {
    let redis = TestRedis::new().await;
    let mut proxy = Proxy::new(redis.url()).await;
    proxy.open().await;
    let connection = Redis::connect(&proxy.url(), redis.prefix()).await.unwrap();
    let queue = ReadyQueue::new(connection.clone());
    let popper = ReadyPopper::connect(&connection, "default", Duration::from_millis(100)).await.unwrap();
    let generation = Uuid::new_v4();
    queue.push("default", 5, generation, &[(0.0, member(1))]).await.unwrap();

    proxy.close().await;
    eventually(WAIT * 5, || async { (!connection.is_connected()).then_some(()) }).await;
    let asked = Instant::now();
    assert!(matches!(queue.push("default", 5, generation, &[]).await, Err(QueueError::NotConnected(_))));
    assert_eq!(connection.ping().await.unwrap_err().refusal(), None);
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    eventually(WAIT * 5, || async {
        matches!(popper.pop(1, false).await, Err(QueueError::NotConnected(_))).then_some(())
    })
    .await;

    proxy.open().await;
    eventually(WAIT * 5, || async { queue.push("default", 5, generation, &[]).await.ok().filter(|o| !o.memory_lost) })
        .await;
    let popped =
        eventually(WAIT * 5, || async { popper.pop(1, false).await.ok().filter(|popped| !popped.is_empty()) }).await;
    assert_eq!(popped, [member(1)]);
}
