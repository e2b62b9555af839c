//! What every daemon does first and keeps doing, against real servers that come and go.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../queue/proxy.rs"]
mod proxy;

use chrono::TimeDelta;
use proxy::Proxy;
use scheduler_core::attach::{DATABASE, REDIS, RedisWatch, database_clock, first_readings, unmeasured_clock};
use scheduler_core::clock::Clock;
use scheduler_core::health::Health;
use scheduler_core::lifecycle::Shutdown;
use scheduler_core::queue::Redis;
use scheduler_core::store::{Store, StoreOptions, StoreRole};
use std::time::Duration;
use test_support::{TestDatabase, TestRedis, eventually, seed, sql};

const WAIT: Duration = Duration::from_secs(20);

/// What the health report says about a component: nothing yet, that it works, or why it does not.
fn component(health: &Health, name: &str) -> Option<Result<(), String>> {
    let found = health.report().components.into_iter().find(|component| component.name == name)?;
    Some(if found.ok { Ok(()) } else { Err(found.reason.unwrap()) })
}

async fn assert_true_to(clock: &Clock, database: &TestDatabase) {
    let before = clock.now();
    let truth = seed::database_now(database.store()).await;
    let after = clock.now();
    let error = TimeDelta::from_std(clock.error()).unwrap();
    assert!(before - error <= truth && truth <= after + error, "{before} {truth} {after}, give or take {error}");
    assert!(clock.error() < Duration::from_secs(5), "{:?}", clock.error());
}

#[tokio::test]
async fn the_clock_is_the_databases_once_that_has_the_schema() {
    let database = TestDatabase::new().await;
    sql::execute(database.store(), "ALTER TABLE _sqlx_migrations RENAME TO away").await;
    let (health, (_trigger, shutdown)) = (Health::new("test"), Shutdown::new());
    let waiting = tokio::spawn({
        let (store, health) = (database.store().clone(), health.clone());
        async move { database_clock(&store, &health, &shutdown).await }
    });
    let why = eventually(WAIT, || async { component(&health, DATABASE) }).await;
    assert!(why.is_err_and(|why| why.contains("schema")), "it says what is missing");
    assert!(!waiting.is_finished());
    sql::execute(database.store(), "ALTER TABLE away RENAME TO _sqlx_migrations").await;
    let clock = tokio::time::timeout(WAIT, waiting).await.unwrap().unwrap().expect("no shutdown came");
    assert_eq!(component(&health, DATABASE), Some(Ok(())));
    assert_true_to(&clock, &database).await;
}

#[tokio::test]
async fn an_unmeasured_clock_says_so_until_the_first_reading() {
    let (database, clock) = (TestDatabase::new().await, unmeasured_clock());
    assert!(clock.error() >= Duration::from_secs(3600));
    first_readings(database.store(), &clock).await.unwrap();
    assert_true_to(&clock, &database).await;
}

#[tokio::test]
async fn a_shutdown_ends_the_wait_for_a_database_that_is_away() {
    let options = StoreOptions::new("postgres://nobody@127.0.0.1:1/nothing", StoreRole::Durable, 1, "test");
    let store = Store::connect_lazy(&options).unwrap();
    let (health, (trigger, shutdown)) = (Health::new("test"), Shutdown::new());
    let waiting = tokio::spawn({
        let health = health.clone();
        async move { database_clock(&store, &health, &shutdown).await.is_none() }
    });
    let why = eventually(WAIT, || async { component(&health, DATABASE) }).await;
    assert_eq!(why, Err("does not answer".to_owned()));
    trigger.soft();
    assert!(tokio::time::timeout(WAIT, waiting).await.unwrap().unwrap());
}

#[tokio::test]
async fn a_redis_that_comes_and_goes_is_noticed() {
    let redis = TestRedis::new().await;
    let mut proxy = Proxy::new(redis.url()).await;
    proxy.open().await;
    let through = Redis::connect(&proxy.url(), redis.prefix()).await.unwrap();
    let (health, watch) = (Health::new("test"), RedisWatch::new(through, "slower"));
    assert!(!watch.is_up(), "it was not asked yet");
    let asking = tokio::spawn(watch.clone().run(health.clone()));
    for _ in 0..2 {
        tokio::time::timeout(WAIT, watch.up()).await.unwrap();
        eventually(WAIT, || async { component(&health, REDIS).filter(Result::is_ok) }).await.unwrap();
        proxy.close().await;
        tokio::time::timeout(WAIT, watch.down()).await.unwrap();
        let why = eventually(WAIT, || async { component(&health, REDIS).filter(Result::is_err) }).await;
        assert_eq!(why, Err("does not answer; slower".to_owned()));
        proxy.open().await;
    }
    asking.abort();
}

#[tokio::test]
async fn a_failed_command_counts_as_down_until_redis_answers_again() {
    let redis = TestRedis::new().await;
    let watch = RedisWatch::new(redis.redis().await, "slower");
    let asking = tokio::spawn(watch.clone().run(Health::new("test")));
    tokio::time::timeout(WAIT, watch.up()).await.unwrap();
    watch.mark_down();
    assert!(!watch.is_up());
    tokio::time::timeout(WAIT, watch.up()).await.unwrap();
    asking.abort();
}
