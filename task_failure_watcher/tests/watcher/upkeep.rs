//! What the watcher puts right behind everybody's back: counters of caps, and the lane of jobs whose queue has moved.

use crate::world::{World, pump};
use task_failure_watcher::{Caps, LaneMoves};

async fn running(world: &World, cap: &str) -> i64 {
    world.number(&format!("SELECT coalesce(sum(running), 0) FROM cap_counters WHERE cap = '{cap}'")).await
}

#[tokio::test]
async fn counters_become_what_the_claims_say() {
    let world = World::new().await;
    let (merchant, job) = (world.merchant, world.job().await);
    let statements = format!(
        "INSERT INTO cap_counters (merchant_id, cap, running) VALUES ('{merchant}', 'queue:leaked', 5), ('{merchant}', 'merchant', 2);
         INSERT INTO claims (merchant_id, job_id, token, session_id, granted_at, caps)
         VALUES ('{merchant}', '{job}', gen_random_uuid(), gen_random_uuid(), clock_timestamp(), '{{merchant,queue:default}}')"
    );
    world.execute(&statements).await;
    let mut duty = Caps::new(world.stores.edges.clone(), world.announcer.clone());
    pump(&mut duty).await;
    let counters = [running(&world, "queue:leaked").await, running(&world, "merchant").await];
    assert_eq!((counters, running(&world, "queue:default").await), ([0, 1], 1));
    world.execute("DELETE FROM claims; UPDATE cap_counters SET changed_at = changed_at - interval '1 hour'").await;
    pump(&mut duty).await;
    world.execute("UPDATE cap_counters SET changed_at = changed_at - interval '1 hour'").await;
    pump(&mut duty).await;
    assert_eq!(world.number("SELECT count(*) FROM cap_counters").await, 0, "what nobody needs is forgotten");
}

/// A limit that is newer than what runs counts it, too.
#[tokio::test]
async fn running_jobs_are_counted_against_a_limit_that_came_later() {
    let world = World::new().await;
    let (merchant, job) = (world.merchant, world.job().await);
    let session = world.session().await;
    world.claim(session, &[job]).await;
    let limit = format!(
        "INSERT INTO queues (merchant_id, name, concurrency) VALUES ('{merchant}', 'default', 1)
         ON CONFLICT (merchant_id, name) DO UPDATE SET concurrency = 1"
    );
    world.execute(&limit).await;
    pump(&mut Caps::new(world.stores.edges.clone(), world.announcer.clone())).await;
    assert_eq!(running(&world, "queue:default").await, 1);
    assert_eq!(world.number("SELECT count(*) FROM claims WHERE caps = '{queue:default}'").await, 1);
}

#[tokio::test]
async fn the_jobs_of_a_moved_queue_follow_page_by_page() {
    let world = World::new().await;
    let merchant = world.merchant;
    for _ in 0..7 {
        world.job().await;
    }
    let others = "INSERT INTO jobs_live (merchant_id, id, state, run_at, scheduled_for, created_at, queue, lane, priority,
                                         max_attempts, timeout_ms, target)
                  SELECT merchant_id, gen_random_uuid(), state, run_at, scheduled_for, created_at, 'another', lane, priority,
                         max_attempts, timeout_ms, target FROM jobs_live LIMIT 1";
    world.execute(others).await;
    let moved = format!(
        "INSERT INTO queues (merchant_id, name, lane, lane_changed_at) VALUES ('{merchant}', 'default', 'bulk', clock_timestamp())
         ON CONFLICT (merchant_id, name) DO UPDATE SET lane = 'bulk', lane_changed_at = clock_timestamp()"
    );
    world.execute(&moved).await;
    let mut duty = LaneMoves::new(world.stores.edges.clone(), 3);
    pump(&mut duty).await;
    let on = async |lane: &str| world.number(&format!("SELECT count(*) FROM jobs_live WHERE lane = '{lane}'")).await;
    assert_eq!((on("bulk").await, on("default").await), (7, 1), "the other queue's job stays");
    // Somebody who has not heard of the change yet.
    world.job().await;
    pump(&mut duty).await;
    assert_eq!((on("bulk").await, on("default").await), (8, 1));
    let open = "SELECT count(*) FROM queues WHERE lane_changed_at IS NOT NULL";
    assert_eq!(world.number(open).await, 1, "it goes on for as long as somebody may not have heard");
    world.execute("UPDATE queues SET lane_changed_at = lane_changed_at - interval '5 min'").await;
    pump(&mut duty).await;
    assert_eq!(world.number(open).await, 0);
}
