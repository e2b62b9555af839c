//! Redis answers, but what is due is not in it, or cannot be taken out of it.

use crate::support::{Running, World};
use scheduler_core::domain::JobId;
use std::time::{Duration, Instant};
use test_support::seed;
use test_support::{Receiver, Script, eventually};

/// Far less than a batch each second would take, on a busy machine.
const BOUND: Duration = Duration::from_secs(15);

async fn noop_jobs(world: &World, count: usize) {
    let insert = format!(
        "INSERT INTO jobs_live (merchant_id, id, state, run_at, scheduled_for, created_at, queue, lane, priority,
                                max_attempts, timeout_ms, target)
         SELECT '{}', gen_random_uuid(), 'scheduled', t, t, t, 'default', 'default', 5, 5, 30000,
                '{{\"kind\":\"noop\"}}'
           FROM generate_series(1, {count}), LATERAL (SELECT clock_timestamp()) AS due (t)",
        world.merchant
    );
    world.execute(&insert).await;
}

async fn until_succeeded(world: &World, count: i64) {
    let done = "SELECT count(*) FROM jobs_finished WHERE state = 'succeeded' AND attempt = 1";
    eventually(BOUND, || async { (world.number(done).await == count).then_some(()) }).await;
}

async fn until_up(executor: &Running) {
    let up = || executor.health.report().components.iter().any(|c| c.name == "redis" && c.ok);
    eventually(BOUND, || async { up().then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn due_jobs_that_nobody_pushes_run_in_full_batches_after_the_threshold() {
    let world = World::new().await;
    // A batch for each second of waiting would take longer than the test does.
    let executors = [0, 1].map(|_| world.start(&[("executor.pop_wait_seconds", "5"), ("executor.claim_batch", "100")]));
    for executor in &executors {
        until_up(executor).await;
    }
    noop_jobs(&world, 2_000).await;
    let started = Instant::now();
    until_succeeded(&world, 2_000).await;
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    // The next ones are not waited for while the last are remembered.
    let started = Instant::now();
    noop_jobs(&world, 500).await;
    until_succeeded(&world, 2_500).await;
    assert!(started.elapsed() < Duration::from_millis(2_900), "{:?}", started.elapsed());
    for executor in executors {
        executor.drain().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_pushed_to_again_is_used_again() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    receiver.answer(vec![Script::status(200)]);
    let executor = world.start(&[]);
    until_up(&executor).await;
    noop_jobs(&world, 10).await;
    until_succeeded(&world, 10).await;
    let job = world.webhook(&receiver.url("/")).await;
    world.push(&[job]).await;
    world.until_state(job, "succeeded").await;
    executor.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ready_key_of_another_type_is_removed_and_does_not_hold_jobs_up() {
    let world = World::new().await;
    let executor = world.start(&[]);
    until_up(&executor).await;
    let key = world.redis.redis().await.keys.ready("default", 2);
    let key = key.as_str().unwrap();
    let mut jobs: Vec<JobId> = Vec::new();
    for _ in 0..3 {
        world.redis.command(&["SET", key, "text"]).await;
        let job = seed::job(world.db.store(), world.merchant).await;
        jobs.push(job);
        let damaged = Instant::now();
        world.until_state(job, "succeeded").await;
        assert!(damaged.elapsed() < Duration::from_secs(5), "{:?}", damaged.elapsed());
        eventually(BOUND, || async { (world.redis.command(&["TYPE", key]).await == "none").then_some(()) }).await;
    }
    let redis = executor.health.report().components.into_iter().find(|c| c.name == "redis");
    assert!(redis.is_some_and(|redis| redis.ok), "it answers, whatever is in it");
    executor.drain().await;
}
