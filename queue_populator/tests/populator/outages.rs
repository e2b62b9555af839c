//! Redis forgets, lies, or is away; nothing is lost.

use crate::world::{SOON, World};
use scheduler_core::config::SecretUrl;
use scheduler_core::domain::{JobId, MerchantId};
use scheduler_core::queue::Member;
use std::time::{Duration, Instant};
use test_support::seed::JobSeed;
use test_support::{eventually, sql};
use uuid::Uuid;

#[tokio::test]
async fn a_redis_that_forgot_everything_is_filled_again() {
    let mut world = World::new().await;
    // Only the missing generation can tell: recent pushes would be held back for a minute.
    world.settings.populator.recent = Duration::from_secs(60);
    world.jobs(world.merchant, 300).await;
    let populator = world.start().await;
    for _ in 0..3 {
        world.until_depth(300).await;
        let wiped = Instant::now();
        world.redis.forget_everything().await;
        world.until_depth(300).await;
        assert!(wiped.elapsed() < Duration::from_secs(5), "{:?}", wiped.elapsed());
    }
    populator.stop().await;
}

#[tokio::test]
async fn forged_members_delay_nobody() {
    let (world, populator) = World::running().await;
    let forged = |score| (score, Member { merchant: MerchantId(Uuid::new_v4()), job: JobId(Uuid::new_v4()) });
    let entries: Vec<_> = [f64::NEG_INFINITY, -1e300, 0.0, 1e300, f64::INFINITY].map(forged).into();
    world.queue().push("default", 5, Uuid::new_v4(), &entries).await.unwrap();
    world.jobs(world.merchant, 100).await;
    world.until_depth(105).await;
    let popped = world.popper("default").await.pop(103, false).await.unwrap();
    let ours = popped.iter().filter(|member| member.merchant == world.merchant).count();
    assert_eq!(ours, 100, "three forged ones stand before them, two behind");
    populator.stop().await;
}

#[tokio::test]
async fn a_set_full_of_forged_members_is_thrown_away() {
    let mut world = World::new().await;
    world.settings.populator.depth_per_priority = 16;
    let populator = world.start().await;
    let forged = |_| (0.0, Member { merchant: MerchantId(Uuid::new_v4()), job: JobId(Uuid::new_v4()) });
    let entries: Vec<_> = (0..5_000).map(forged).collect();
    world.queue().push("default", 5, Uuid::new_v4(), &entries).await.unwrap();
    world.jobs(world.merchant, 10).await;
    world.until_depth(10).await;
    let popped = world.popper("default").await.pop(100, false).await.unwrap();
    assert!(popped.iter().all(|member| member.merchant == world.merchant));
    populator.stop().await;
}

#[tokio::test]
async fn keys_of_another_type_are_replaced_and_filled_again() {
    let mut world = World::new().await;
    // Only what the push itself finds can tell: recent pushes would be held back for a minute.
    world.settings.populator.recent = Duration::from_secs(60);
    world.jobs(world.merchant, 100).await;
    let populator = world.start().await;
    let keys = world.redis.redis().await.keys;
    for key in [keys.generation("default"), keys.ready("default", 5), keys.ready("default", 0)] {
        let key = key.as_str().unwrap();
        world.until_depth(100).await;
        let damaged = Instant::now();
        let script = "redis.call('UNLINK', KEYS[1]) return redis.call('LPUSH', KEYS[1], 'text')";
        world.redis.command(&["EVAL", script, "1", key]).await;
        eventually(SOON, || async { (world.redis.command(&["TYPE", key]).await != "list").then_some(()) }).await;
        world.until_depth(100).await;
        assert!(damaged.elapsed() < Duration::from_secs(5), "{key} took {:?}", damaged.elapsed());
    }
    assert_ne!(populator.component("pushes default"), Some(false));
    populator.stop().await;
}

#[tokio::test]
async fn a_redis_that_refuses_pushes_is_told_of_until_it_takes_one() {
    let mut world = World::new().await;
    // Reads and scripts work, writes do not: as on a server without memory, which the other tests would share.
    let user = world.redis.prefix().to_owned();
    let host = world.redis.url().rsplit(['@', '/']).find(|part| part.contains(':')).unwrap().to_owned();
    world.settings.redis.url = SecretUrl::new(format!("redis://{user}:secret@{host}/0").as_str());
    world.redis.command(&["ACL", "SETUSER", &user, "on", ">secret", "~*", "&*", "+@all", "-zadd", "-set"]).await;
    world.jobs(world.merchant, 10).await;
    let populator = world.start().await;
    let reason = || {
        let components = populator.health.report().components;
        components.into_iter().find(|c| c.name == "pushes default").and_then(|c| c.reason)
    };
    let why = eventually(SOON, || async { reason() }).await;
    assert!(why.starts_with("Redis refuses pushes: ") && why.ends_with("PostgreSQL, slower"), "{why}");
    assert_eq!(populator.component("redis"), Some(true), "it answers all the same");

    // Nothing is left to push: it has to be noticed all the same.
    sql::execute(world.store(), "DELETE FROM jobs_live").await;
    world.redis.command(&["ACL", "SETUSER", &user, "+@all"]).await;
    eventually(SOON, || async { (populator.component("pushes default") == Some(true)).then_some(()) }).await;
    world.jobs(world.merchant, 10).await;
    world.until_depth(10).await;
    populator.stop().await;
    world.redis.command(&["ACL", "DELUSER", &user]).await;
}

#[tokio::test]
async fn without_redis_jobs_are_judged_all_the_same_and_readiness_says_what_is_wrong() {
    let mut world = World::new().await;
    world.settings.redis.url = SecretUrl::new("redis://127.0.0.1:1/0");
    let populator = world.start().await;
    let template = Some(Uuid::new_v4());
    let job = |due_in_seconds| JobSeed { due_in_seconds, template, overlap_skip: true, ..JobSeed::due(world.merchant) };
    job(-20.0).insert(world.store()).await;
    let overlapping = job(-10.0).insert(world.store()).await;
    let child = JobSeed { state: "blocked", ..JobSeed::due(world.merchant) }.insert(world.store()).await;
    // Its parent has ended, somehow.
    let parent = Uuid::new_v4();
    let ending = format!(
        "UPDATE jobs_live SET run_if = 'all_finished' WHERE id = '{child}';
         INSERT INTO job_dependencies VALUES ('{0}', '{child}', '{parent}');
         INSERT INTO parent_endings VALUES ('{0}', '{parent}')",
        world.merchant
    );
    sql::execute(world.store(), &ending).await;

    world.until_state(overlapping, "skipped").await;
    world.until_state(child, "scheduled").await;
    eventually(SOON, || async { (populator.component("redis") == Some(false)).then_some(()) }).await;
    assert_eq!(populator.component("postgresql"), Some(true));
    assert!(!populator.health.is_ready());
    populator.stop().await;
}

#[tokio::test]
async fn a_populator_that_starts_before_the_database_waits_for_it() {
    let mut world = World::new().await;
    world.settings.database.url = SecretUrl::new("postgres://nobody@127.0.0.1:1/nothing");
    let populator = crate::world::Populator::start(world.settings.clone());
    eventually(SOON, || async { (populator.component("postgresql") == Some(false)).then_some(()) }).await;
    populator.stop().await;
}
