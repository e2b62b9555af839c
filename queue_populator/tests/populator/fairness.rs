//! Between merchants: turns, shares, bounds.

use crate::world::{SOON, World};
use scheduler_core::queue::Member;
use std::collections::HashSet;
use test_support::{eventually, seed, sql};

#[tokio::test]
async fn one_job_of_a_quiet_merchant_overtakes_a_backlog_of_thousands() {
    let mut world = World::new().await;
    world.settings.populator.depth_per_priority = 500;
    let quiet = seed::merchant(world.store(), "quiet").await;
    world.jobs(world.merchant, 5_000).await;
    let populator = world.start().await;
    eventually(SOON, || async { (world.depth().await >= 500).then_some(()) }).await;

    let job = seed::job(world.store(), quiet).await;
    eventually(SOON, || async { (world.depth().await > 500).then_some(()) }).await;
    let popper = world.popper("default").await;
    let first = popper.pop(2, false).await.unwrap();
    assert!(first.contains(&Member { merchant: quiet, job }), "{first:?}");
    populator.stop().await;
}

#[tokio::test]
async fn merchants_take_turns_by_weight() {
    let world = World::new().await;
    let heavy = seed::merchant(world.store(), "heavy").await;
    sql::execute(world.store(), &format!("UPDATE merchants SET weight = 3 WHERE id = '{heavy}'")).await;
    world.jobs(world.merchant, 400).await;
    world.jobs(heavy, 400).await;
    let populator = world.start().await;
    world.until_depth(800).await;
    let popped = world.popper("default").await.pop(200, false).await.unwrap();
    let share = popped.iter().filter(|member| member.merchant == heavy).count();
    assert!((148..=152).contains(&share), "{share} of 200");
    populator.stop().await;
}

#[tokio::test]
async fn a_backlog_is_drained_through_a_small_window_in_due_order_and_nothing_is_lost() {
    const JOBS: usize = 3_000;
    let mut world = World::new().await;
    world.settings.populator.depth_per_priority = 64;
    world.jobs(world.merchant, JOBS).await;
    let populator = world.start().await;
    let popper = world.popper("default").await;
    let mut seen = HashSet::new();
    let mut deepest = 0;
    while seen.len() < JOBS {
        deepest = deepest.max(world.depth().await);
        let popped = popper.pop(50, false).await.unwrap();
        world.gone(&popped).await;
        seen.extend(popped);
    }
    // A quiet merchant may exceed the bound by a little; here there is only one, which is not.
    assert!(deepest <= 65, "{deepest}");
    assert_eq!(sql::number(world.store(), "SELECT count(*) FROM jobs_live").await, 0);
    populator.stop().await;
}

#[tokio::test]
async fn a_full_set_waits_and_is_refilled_when_it_runs_low() {
    let mut world = World::new().await;
    world.settings.populator.depth_per_priority = 100;
    // Within a sweep only: the next one comes much later.
    world.settings.populator.sweep = std::time::Duration::from_secs(60);
    world.settings.populator.recent = std::time::Duration::from_secs(60);
    world.jobs(world.merchant, 1_000).await;
    let populator = world.start().await;
    world.until_depth(100).await;
    let popper = world.popper("default").await;
    let mut popped = popper.pop(40, false).await.unwrap();
    assert_eq!(world.depth().await, 60, "above the low water nothing is added");
    popped.extend(popper.pop(15, false).await.unwrap());
    world.until_depth(100).await;
    assert_eq!(popped.len(), 55);
    populator.stop().await;
}

#[tokio::test]
async fn many_merchants_with_many_queues_all_get_their_turn() {
    let world = World::new().await;
    let insert =
        "INSERT INTO jobs_live (merchant_id, id, state, run_at, scheduled_for, created_at, queue, lane, priority,
                                         max_attempts, timeout_ms, target)
                  SELECT md5('m' || m)::uuid, gen_random_uuid(), 'scheduled', t, t, t, 'q' || q, 'default', 5,
                         5, 30000, '{\"kind\":\"noop\"}'
                    FROM generate_series(1, 600) AS m, generate_series(1, 3) AS q, generate_series(1, 2) AS n,
                         LATERAL (SELECT clock_timestamp() - interval '1 minute' AS t) AS due";
    sql::execute(world.store(), insert).await;
    let populator = world.start().await;
    world.until_depth(3_600).await;
    let popped = world.popper("default").await.pop(600, false).await.unwrap();
    let merchants: HashSet<_> = popped.iter().map(|member| member.merchant).collect();
    assert_eq!(merchants.len(), 600, "the first job of each comes before the second of any");
    populator.stop().await;
}
