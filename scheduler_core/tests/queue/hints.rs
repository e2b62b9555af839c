//! Hints: sent, heard, lost, and heard again.

use crate::proxy::Proxy;
use chrono::DateTime;
use scheduler_core::domain::{JobId, MerchantId};
use scheduler_core::queue::{DueHint, Hint, HintReceiver, HintSender, Member, Redis, Topic};
use std::time::{Duration, Instant};
use test_support::{TestRedis, eventually};
use uuid::Uuid;

const WAIT: Duration = Duration::from_secs(15);

fn hints(count: u128) -> Vec<DueHint> {
    let hint = |n| DueHint {
        member: Member { merchant: MerchantId(Uuid::from_u128(1)), job: JobId(Uuid::from_u128(n)) },
        run_at: DateTime::from_timestamp_micros(1_800_000_000_000_001).unwrap(),
        priority: 3,
        lane: "default".to_owned(),
    };
    (0..count).map(hint).collect()
}

async fn next(receiver: &mut HintReceiver) -> Hint {
    tokio::time::timeout(WAIT, receiver.next()).await.expect("a hint")
}

#[tokio::test]
async fn everybody_hears_the_topics_that_they_asked_for() {
    let redis = TestRedis::new().await;
    let connection = redis.redis().await;
    let sender = HintSender::new(connection.clone());
    let mut all = HintReceiver::subscribe(
        &connection,
        &[Topic::Due, Topic::Failed, Topic::Cancel, Topic::Template, Topic::Ending, Topic::Lane],
    )
    .await
    .unwrap();
    let mut one = HintReceiver::subscribe(&connection, &[Topic::Ending]).await.unwrap();
    let member = hints(1)[0].member;
    sender.due(&hints(1)).await;
    sender.failed().await;
    sender.cancel(member).await;
    sender.template().await;
    sender.ending().await;
    sender.lane("slow").await;
    let lane = Hint::Lane("slow".to_owned());
    for expected in [Hint::Due(hints(1)), Hint::Failed, Hint::Cancel(member), Hint::Template, Hint::Ending, lane] {
        assert_eq!(next(&mut all).await, expected);
    }
    assert_eq!(next(&mut one).await, Hint::Ending);
}

#[tokio::test]
async fn many_hints_travel_in_several_messages() {
    let redis = TestRedis::new().await;
    let connection = redis.redis().await;
    let mut receiver = HintReceiver::subscribe(&connection, &[Topic::Due]).await.unwrap();
    HintSender::new(connection).due(&hints(1_203)).await;
    let mut heard = Vec::new();
    while heard.len() < 1_203 {
        match next(&mut receiver).await {
            Hint::Due(more) => heard.extend(more),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(heard, hints(1_203));
}

#[tokio::test]
async fn installations_on_one_server_do_not_hear_each_other() {
    let (ours, theirs) = (TestRedis::new().await, TestRedis::new().await);
    let connection = ours.redis().await;
    let mut receiver = HintReceiver::subscribe(&connection, &[Topic::Due, Topic::Ending]).await.unwrap();
    HintSender::new(theirs.redis().await).due(&hints(1)).await;
    HintSender::new(connection).ending().await;
    assert_eq!(next(&mut receiver).await, Hint::Ending);
}

#[tokio::test]
async fn a_cut_subscription_comes_back_and_says_that_something_was_missed() {
    let redis = TestRedis::new().await;
    let mut proxy = Proxy::new(redis.url()).await;
    proxy.open().await;
    let through = Redis::connect(&proxy.url(), redis.prefix()).await.unwrap();
    let sender = HintSender::new(redis.redis().await);
    let mut receiver = HintReceiver::subscribe(&through, &[Topic::Ending]).await.unwrap();
    for _ in 0..2 {
        sender.ending().await;
        assert_eq!(next(&mut receiver).await, Hint::Ending);
        proxy.close().await;
        eventually(WAIT, || async { (!through.is_connected()).then_some(()) }).await;
        proxy.open().await;
        assert_eq!(next(&mut receiver).await, Hint::Missed);
    }
    sender.ending().await;
    assert_eq!(next(&mut receiver).await, Hint::Ending);
}

#[tokio::test]
async fn a_subscription_made_while_redis_is_away_works_once_it_is_there() {
    let redis = TestRedis::new().await;
    let mut proxy = Proxy::new(redis.url()).await;
    let through = Redis::connect(&proxy.url(), redis.prefix()).await.unwrap();
    let mut receiver = HintReceiver::subscribe(&through, &[Topic::Ending]).await.unwrap();
    proxy.open().await;
    assert_eq!(next(&mut receiver).await, Hint::Missed);
    HintSender::new(redis.redis().await).ending().await;
    assert_eq!(next(&mut receiver).await, Hint::Ending);
}

#[tokio::test]
async fn sending_without_a_connection_costs_no_time() {
    let redis = TestRedis::new().await;
    let proxy = Proxy::new(redis.url()).await;
    let away = Redis::connect(&proxy.url(), redis.prefix()).await.unwrap();
    let started = Instant::now();
    HintSender::new(away).due(&hints(5_000)).await;
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
}
