//! Concurrency caps: what is granted, and that every way of removing a claim gives its places back.

use crate::world::{Said, World};
use scheduler_core::domain::SessionId;
use scheduler_core::store::queue_settings::QueueChange;
use scheduler_core::store::transitions::claim::ClaimKey;
use scheduler_core::store::transitions::reap::ReapOptions;
use scheduler_core::store::transitions::results::Acceptance;
use scheduler_core::store::{Store, StoreOptions, StoreRole};
use std::time::Duration;
use test_support::seed::JobSeed;
use uuid::Uuid;

use Said::{Granted, OverCap};

const KEPT: Duration = Duration::from_secs(600);

async fn limit_queue(world: &World, limit: i32) {
    let change = QueueChange { concurrency: Some(Some(limit)), ..QueueChange::default() };
    world.store().change_queue(world.merchant, "default", &change).await.unwrap();
}

#[tokio::test]
async fn jobs_of_a_key_run_one_at_a_time() {
    let world = World::new().await;
    let (first, second, other) = (world.keyed_job("a").await, world.keyed_job("a").await, world.keyed_job("b").await);
    let keys = [first, second, other].map(|job| world.key(job));
    assert_eq!(world.said(&keys).await, [Granted, OverCap, Granted]);
    assert_eq!(world.number("SELECT count(*) FROM claims").await, 2, "what did not fit holds nothing");
    assert_eq!(world.said_one(world.key(second)).await, OverCap);
    let receipt = world.succeed(keys[0]).await;
    assert!(receipt.acceptance == Acceptance::Accepted && receipt.released_caps);
    world.run(second).await;
}

#[tokio::test]
async fn the_queue_says_how_many_of_a_key_run_and_another_queue_is_another_matter() {
    let world = World::new().await;
    let change = QueueChange { concurrency_key_limit: Some(2), ..QueueChange::default() };
    world.store().change_queue(world.merchant, "default", &change).await.unwrap();
    let mut keys = Vec::new();
    for queue in ["default", "default", "default", "other"] {
        let seed =
            JobSeed { queue: queue.to_owned(), concurrency_key: Some("a".to_owned()), ..JobSeed::due(world.merchant) };
        keys.push(world.key(seed.insert(world.store()).await));
    }
    assert_eq!(world.said(&keys).await, [Granted, Granted, OverCap, Granted]);
}

#[tokio::test]
async fn a_job_needs_a_place_under_every_cap_and_takes_none_when_one_is_full() {
    let world = World::new().await;
    limit_queue(&world, 3).await;
    world.store().set_merchant_concurrency(world.merchant, Some(4)).await.unwrap();
    let mut keys = Vec::new();
    for key in ["a", "a", "b", "c", "d"] {
        keys.push(world.key(world.keyed_job(key).await));
    }
    // The second has no place under its key, so that the fourth finds one in the queue.
    assert_eq!(world.said(&keys).await, [Granted, OverCap, Granted, Granted, OverCap]);
    let elsewhere = JobSeed { queue: "other".to_owned(), ..JobSeed::due(world.merchant) };
    world.store().ensure_queues(world.merchant, &["other"]).await.unwrap();
    let others = [
        elsewhere.clone().insert(world.store()).await,
        JobSeed { id: JobSeed::due(world.merchant).id, ..elsewhere }.insert(world.store()).await,
    ];
    assert_eq!(
        world.said(&others.map(|job| world.key(job))).await,
        [Granted, OverCap],
        "the merchant's fourth and fifth"
    );
}

#[tokio::test]
async fn a_template_has_its_own_limit() {
    let world = World::new().await;
    let template = Some(Uuid::from_u128(9));
    let mut keys = Vec::new();
    for limit in [Some(1), Some(1), Some(2), None] {
        let seed = JobSeed { template, template_limit: limit, ..JobSeed::due(world.merchant) };
        keys.push(world.key(seed.insert(world.store()).await));
    }
    assert_eq!(world.said(&keys).await, [Granted, OverCap, Granted, Granted], "each job says how many it bears");
}

#[tokio::test]
async fn every_way_of_removing_a_claim_gives_its_places_back() {
    let world = World::new().await;
    limit_queue(&world, 1).await;
    let key = world.run(world.keyed_job("a").await).await;
    assert_eq!(world.counted().await, 2);
    world.succeed(key).await;
    assert_eq!(world.counted().await, 0, "success");
    let key = world.run(world.keyed_job("a").await).await;
    assert!(world.fail(key).await.released_caps);
    assert_eq!(world.counted().await, 0, "failure");
    let key = world.run(world.keyed_job("a").await).await;
    world.store().cancel(key.merchant, key.job).await.unwrap();
    assert_eq!(world.counted().await, 2, "asked to stop, it still runs");
    world.confirm_cancel(key).await;
    assert_eq!(world.counted().await, 0, "cancel");
    let key = world.run(world.keyed_job("a").await).await;
    assert!(world.results.hand_back(&[key]).await.unwrap().released_caps);
    assert_eq!(world.counted().await, 0, "handed back");
    let key = world.run(key.job).await;
    world.execute("UPDATE sessions SET lost_at = clock_timestamp()").await;
    let options = ReapOptions { max_crashes: 5, spread: Duration::ZERO };
    let reaped = world.results.reap(&[key], &options).await.unwrap();
    assert!(reaped.jobs() == 1 && reaped.released_caps);
    assert_eq!(world.counted().await, 0, "taken back");
    assert_eq!(world.store().check_caps(KEPT).await.unwrap().drifted, 0);
}

#[tokio::test]
async fn what_is_repeated_counts_once() {
    let world = World::new().await;
    let (first, second) = (world.keyed_job("a").await, world.keyed_job("a").await);
    let key = world.run(first).await;
    // The answer was lost; the same wish again.
    assert_eq!(world.said_one(key).await, Granted);
    assert_eq!(world.counted().await, 1);
    world.succeed(key).await;
    let next = world.run(second).await;
    assert_eq!(world.succeed(key).await.acceptance, Acceptance::Replayed);
    assert_eq!(world.results.hand_back(&[key]).await.unwrap().returned, 0);
    assert_eq!(world.counted().await, 1, "the second one's place is its own");
    world.succeed(next).await;
    assert_eq!(world.counted().await, 0);
}

#[tokio::test]
async fn a_claim_that_is_asked_for_again_too_late_gives_its_place_back() {
    let world = World::new().await;
    let key = world.run(world.keyed_job("a").await).await;
    world.execute("UPDATE jobs_live SET start_deadline_at = clock_timestamp() - interval '1 second'").await;
    assert_eq!(world.said_one(key).await, Said::Other);
    assert_eq!((world.counted().await, world.number("SELECT count(*) FROM claims").await), (0, 0));
}

#[tokio::test]
async fn a_redriven_job_has_the_caps_of_the_dead_one() {
    let world = World::new().await;
    let seed = JobSeed { max_attempts: 1, concurrency_key: Some("a".to_owned()), ..JobSeed::due(world.merchant) };
    let key = world.run(seed.insert(world.store()).await).await;
    world.fail(key).await;
    world
        .execute(
            "UPDATE jobs_live SET cancel_requested_at = NULL;
         UPDATE jobs_live SET retryable = false",
        )
        .await;
    let failed = world.results.failed_jobs(None, 10).await.unwrap();
    let order = scheduler_core::store::transitions::verdict::BurialOrder { key: failed[0].key, reason: "exhausted" };
    world.results.bury(&[order]).await.unwrap();
    let now = test_support::seed::database_now(world.store()).await;
    let redriven = world.store().redrive(world.merchant, key.job, true, now).await.unwrap();
    let scheduler_core::store::dead_letters::Redrive::Created(redriven) = redriven else { panic!("{redriven:?}") };
    world.run(world.keyed_job("a").await).await;
    assert_eq!(world.said_one(world.key(redriven.id)).await, OverCap);
}

#[tokio::test]
async fn a_claim_of_a_session_that_is_lost_is_not_counted() {
    let world = World::new().await;
    let key = world.key(world.keyed_job("a").await);
    let nobody = SessionId::random();
    assert!(world.db.claims_store().claim(nobody, &[key], Duration::ZERO).await.unwrap().is_empty());
    assert_eq!(world.counted().await, 0);
}

/// One connection, so that its statistics tell of everything that was done.
#[tokio::test]
async fn jobs_without_caps_never_touch_the_counters() {
    let world = World::new().await;
    let alone = Store::connect_lazy(&StoreOptions::new(world.db.url(), StoreRole::Results, 1, "test")).unwrap();
    let mut keys: Vec<ClaimKey> = Vec::new();
    for _ in 0..50 {
        keys.push(world.key(world.job().await));
    }
    assert_eq!(alone.claim(world.session, &keys, Duration::ZERO).await.unwrap().len(), 50);
    alone.hand_back(&keys[..10]).await.unwrap();
    let now = test_support::seed::database_now(world.store()).await;
    let report = |key: &ClaimKey| scheduler_core::store::transitions::results::AttemptReport {
        key: *key,
        session: world.session,
        started_at: now,
        finished_at: now,
        result: scheduler_core::domain::ExecutionResult::success(),
    };
    let reports: Vec<_> = keys[10..].iter().map(report).collect();
    alone.record_results(&reports).await.unwrap();
    test_support::sql::execute(&alone, "SELECT pg_stat_force_next_flush()").await;
    let touched =
        "SELECT seq_scan + idx_scan + n_tup_ins + n_tup_upd FROM pg_stat_user_tables WHERE relname = 'cap_counters'";
    let claimed = "SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'claims'";
    assert_eq!(test_support::sql::number(&alone, claimed).await, 50, "the statistics are there");
    assert_eq!(test_support::sql::number(&alone, touched).await, 0);
}

#[tokio::test]
async fn counters_that_differ_from_the_claims_are_put_right() {
    let world = World::new().await;
    world.run(world.keyed_job("a").await).await;
    world.run(world.keyed_job("b").await).await;
    world
        .execute(
            "UPDATE cap_counters SET running = 7 WHERE cap = 'key:default a';
         DELETE FROM cap_counters WHERE cap = 'key:default b';
         INSERT INTO cap_counters (merchant_id, cap, running) SELECT id, 'key:default nobody', 3 FROM merchants",
        )
        .await;
    assert_eq!(world.said_one(world.key(world.keyed_job("nobody").await)).await, OverCap);
    assert_eq!(world.store().check_caps(KEPT).await.unwrap().drifted, 3);
    assert_eq!(world.counted().await, 2);
    assert_eq!(world.store().check_caps(KEPT).await.unwrap().drifted, 0);
    world.run(world.keyed_job("nobody").await).await;
}

#[tokio::test]
async fn counters_that_nobody_needs_are_forgotten() {
    let world = World::new().await;
    let key = world.run(world.keyed_job("a").await).await;
    assert_eq!(world.store().check_caps(Duration::ZERO).await.unwrap().forgotten, 0);
    world.succeed(key).await;
    assert_eq!(world.store().check_caps(KEPT).await.unwrap().forgotten, 0);
    assert_eq!(world.store().check_caps(Duration::ZERO).await.unwrap().forgotten, 1);
    world.run(world.keyed_job("a").await).await;
}
