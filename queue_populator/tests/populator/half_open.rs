//! Connections to Redis that went silent without a word.

use scheduler_core::attach::RedisWatch;
use scheduler_core::health::Health;
use scheduler_core::queue::hints::Topic;
use scheduler_core::queue::{Hint, HintReceiver, Redis};
use std::time::Duration;
use test_support::{Fault, FaultProxy, TestRedis, eventually};

/// Longer than noticing and connecting anew take.
const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_silent_connection_is_given_up_and_made_anew() {
    let server = TestRedis::new().await;
    let address = server.url().trim_start_matches("redis://").split('/').next().unwrap().parse().unwrap();
    let proxy = FaultProxy::start(address).await;
    let redis = Redis::connect(&format!("redis://{}", proxy.address()), server.prefix()).await.unwrap();
    let watch = RedisWatch::new(redis.clone(), "nothing goes on");
    let watching = tokio::spawn(watch.clone().run(Health::new("test")));
    let becomes = async |up: bool| eventually(SOON, || async { (watch.is_up() == up).then_some(()) }).await;
    becomes(true).await;
    let mut hints = HintReceiver::subscribe(&redis, &[Topic::Ending]).await.unwrap();
    proxy.set(Fault::HalfOpen);
    becomes(false).await;
    // Until the subscription, which asks seldom, has asked in vain.
    tokio::time::sleep(Duration::from_secs(6)).await;
    // What exists stays silent; only a new connection is answered.
    proxy.set(Fault::None);
    becomes(true).await;
    let heard = async { while hints.next().await != Hint::Missed {} };
    tokio::time::timeout(SOON, heard).await.expect("the subscription works again, and says that it missed something");
    watching.abort();
}
