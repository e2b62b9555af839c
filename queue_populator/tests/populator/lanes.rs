//! Lanes are leased: one populator serves a lane, another takes over.

use crate::world::{Populator, SOON, World};
use scheduler_core::store::Store;
use std::time::{Duration, Instant};
use test_support::{eventually, sql};

fn serves(populator: &Populator, lane: &str) -> bool {
    populator.health.report().loops.iter().any(|l| l.name == format!("sweep {lane}"))
}

async fn leases(store: &Store) -> i64 {
    sql::number(store, "SELECT count(*) FROM lane_leases WHERE expires_at > clock_timestamp()").await
}

#[tokio::test]
async fn a_lane_is_served_by_one_and_taken_over_at_once_after_a_clean_stop() {
    let (world, first) = World::running().await;
    let second = Populator::start(world.settings.clone());
    eventually(SOON, || async { (second.component("postgresql") == Some(true)).then_some(()) }).await;
    let popper = world.popper("default").await;
    for _ in 0..3 {
        let job = world.job().await;
        let popped = world.pop(&popper).await;
        assert_eq!(popped.job, job);
        world.gone(&[popped]).await;
        assert!(serves(&first, "default") && !serves(&second, "default"));
    }
    first.stop().await;
    assert_eq!(leases(world.store()).await, 0, "given up");
    eventually(SOON, || async { serves(&second, "default").then_some(()) }).await;
    let job = world.job().await;
    assert_eq!(world.pop(&popper).await.job, job);
    second.stop().await;
}

#[tokio::test]
async fn a_lane_of_a_dead_populator_is_taken_over_when_its_lease_has_ended() {
    let mut world = World::new().await;
    world.settings.populator.lane_lease = Duration::from_secs(2);
    let first = world.start().await;
    first.kill(world.store()).await;
    assert_eq!(leases(world.store()).await, 1);
    let job = world.job().await;
    let second = Populator::start(world.settings.clone());
    let started = Instant::now();
    let popper = world.popper("default").await;
    assert_eq!(world.pop(&popper).await.job, job);
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    second.stop().await;
}

#[tokio::test]
async fn lanes_that_queues_or_the_settings_name_are_served_too() {
    let mut world = World::new().await;
    world.settings.executor.lanes = scheduler_core::config::Lanes::named(["bulk"]);
    let populator = world.start().await;
    let queue = format!("INSERT INTO queues (merchant_id, name, lane) VALUES ('{}', 'q', 'night')", world.merchant);
    sql::execute(world.store(), &queue).await;
    for lane in ["default", "bulk", "night"] {
        eventually(SOON, || async { serves(&populator, lane).then_some(()) }).await;
    }
    populator.stop().await;
}

#[tokio::test]
async fn a_lease_is_for_its_holder_alone() {
    let world = World::new().await;
    let store = world.store();
    let (one, two) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
    let lanes: Vec<String> = ["b", "a"].map(String::from).into();
    let term = Duration::from_secs(60);
    let mut held = store.lease_lanes(one, &lanes, term).await.unwrap();
    held.sort();
    assert_eq!(held, ["a", "b"]);
    assert_eq!(store.lease_lanes(one, &lanes, term).await.unwrap().len(), 2, "renewed");
    assert!(store.lease_lanes(two, &lanes, term).await.unwrap().is_empty());
    store.release_lanes(two, &lanes).await.unwrap();
    assert!(store.lease_lanes(two, &lanes, term).await.unwrap().is_empty(), "not two's to release");
    sql::execute(store, "UPDATE lane_leases SET expires_at = clock_timestamp() - interval '1 ms' WHERE lane = 'a'")
        .await;
    assert_eq!(store.lease_lanes(two, &lanes, term).await.unwrap(), ["a"]);
    assert_eq!(store.lease_lanes(one, &lanes, term).await.unwrap(), ["b"], "one learns that it has lost a");
    store.release_lanes(one, &lanes).await.unwrap();
    assert_eq!(leases(store).await, 1);
}
