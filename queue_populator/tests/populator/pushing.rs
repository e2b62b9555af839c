//! Due jobs reach the ready sets: by sweep, by timer, by hint; at their moment, and not without need.

use crate::world::{SOON, World};
use chrono::TimeDelta;
use scheduler_core::domain::JobId;
use scheduler_core::queue::Member;
use scheduler_core::store::Store;
use std::time::Duration;
use test_support::seed::{JobSeed, database_now};
use test_support::{eventually, sql};

async fn run_at(store: &Store, job: JobId) -> chrono::DateTime<chrono::Utc> {
    let micros = sql::number(
        store,
        &format!("SELECT (extract(epoch FROM run_at) * 1000000)::bigint FROM jobs_live WHERE id = '{job}'"),
    )
    .await;
    chrono::DateTime::from_timestamp_micros(micros).unwrap()
}

#[tokio::test]
async fn a_due_job_is_pushed_without_any_hint() {
    let (world, populator) = World::running().await;
    let popper = world.popper("default").await;
    let job = world.job().await;
    assert_eq!(world.pop(&popper).await, Member { merchant: world.merchant, job });
    populator.stop().await;
}

#[tokio::test]
async fn a_hint_is_enough() {
    let mut world = World::new().await;
    // No sweep will come in time.
    world.settings.populator.sweep = Duration::from_secs(60);
    let populator = world.start().await;
    let popper = world.popper("default").await;
    // The first sweep of all may have been late, so a first job is not counted.
    for _ in 0..2 {
        let job = world.job().await;
        world.hint(job, run_at(world.store(), job).await).await;
        assert_eq!(world.pop(&popper).await.job, job);
    }
    populator.stop().await;
}

#[tokio::test]
async fn a_future_job_is_pushed_at_its_moment_and_no_earlier_than_the_way_needs() {
    let (world, populator) = World::running().await;
    let popper = world.popper("default").await;
    for hinted in [false, true] {
        let job = JobSeed { due_in_seconds: 1.2, ..JobSeed::due(world.merchant) }.insert(world.store()).await;
        let due = run_at(world.store(), job).await;
        if hinted {
            world.hint(job, due).await;
        }
        assert_eq!(world.pop(&popper).await.job, job);
        let now = database_now(world.store()).await;
        // push_ahead is 5 ms; the estimate of the clock may be off by a little.
        assert!(now >= due - TimeDelta::milliseconds(10), "{} early", due - now);
        assert!(now <= due + TimeDelta::milliseconds(500), "{} late", now - due);
        world.gone(&[Member { merchant: world.merchant, job }]).await;
    }
    populator.stop().await;
}

#[tokio::test]
async fn a_job_beyond_the_look_ahead_stays_where_it_is() {
    let (world, populator) = World::running().await;
    let job = JobSeed { due_in_seconds: 600.0, ..JobSeed::due(world.merchant) }.insert(world.store()).await;
    world.hint(job, run_at(world.store(), job).await).await;
    let due = world.job().await;
    let popper = world.popper("default").await;
    assert_eq!(world.pop(&popper).await.job, due);
    assert_eq!(world.depth().await, 0);
    populator.stop().await;
}

#[tokio::test]
async fn a_job_that_was_popped_and_never_claimed_comes_back() {
    let (world, populator) = World::running().await;
    let popper = world.popper("default").await;
    let job = world.job().await;
    for _ in 0..3 {
        assert_eq!(world.pop(&popper).await.job, job);
    }
    populator.stop().await;
}

#[tokio::test]
async fn a_retry_is_pushed_at_once_although_its_first_attempt_was_pushed_just_now() {
    let mut world = World::new().await;
    world.settings.populator.recent = Duration::from_secs(60);
    let populator = world.start().await;
    let popper = world.popper("default").await;
    let job = world.job().await;
    assert_eq!(world.pop(&popper).await.job, job);
    let retry =
        format!("UPDATE jobs_live SET state = 'retrying', attempt = 1, run_at = clock_timestamp() WHERE id = '{job}'");
    sql::execute(world.store(), &retry).await;
    world.hint(job, run_at(world.store(), job).await).await;
    assert_eq!(world.pop(&popper).await.job, job);
    populator.stop().await;
}

#[tokio::test]
async fn claimed_jobs_are_passed_over() {
    let (world, populator) = World::running().await;
    let claim = |job: JobId| {
        format!(
            "INSERT INTO claims VALUES ('{}', '{job}', gen_random_uuid(), gen_random_uuid(), clock_timestamp())",
            world.merchant
        )
    };
    let claimed = JobSeed { due_in_seconds: 0.5, ..JobSeed::due(world.merchant) }.insert(world.store()).await;
    sql::execute(world.store(), &claim(claimed)).await;
    let popper = world.popper("default").await;
    let free = JobSeed { due_in_seconds: 1.0, ..JobSeed::due(world.merchant) }.insert(world.store()).await;
    assert_eq!(world.pop(&popper).await.job, free, "the claimed one was due before");
    sql::execute(world.store(), "DELETE FROM claims").await;
    assert_eq!(world.pop(&popper).await.job, claimed, "given back");
    populator.stop().await;
}

#[tokio::test]
async fn a_paused_queue_is_passed_over_until_it_goes_on() {
    let (world, populator) = World::running().await;
    let pause = format!(
        "INSERT INTO queues (merchant_id, name, paused_at) VALUES ('{}', 'slow', clock_timestamp())",
        world.merchant
    );
    sql::execute(world.store(), &pause).await;
    let waiting = JobSeed { queue: "slow".into(), ..JobSeed::due(world.merchant) }.insert(world.store()).await;
    let popper = world.popper("default").await;
    let free = world.job().await;
    assert_eq!(world.pop(&popper).await.job, free);
    world.gone(&[Member { merchant: world.merchant, job: free }]).await;
    assert_eq!(world.depth().await, 0);
    sql::execute(world.store(), "UPDATE queues SET paused_at = NULL").await;
    assert_eq!(world.pop(&popper).await.job, waiting);
    populator.stop().await;
}

#[tokio::test]
async fn a_lane_is_looked_at_when_it_is_asked_for() {
    let mut world = World::new().await;
    // No other sweep comes to help while the test lasts.
    world.settings.populator.sweep = Duration::from_secs(600);
    let populator = world.start().await;
    let popper = world.popper("default").await;
    let first = world.job().await;
    world.hint_lane("default").await;
    assert_eq!(world.pop(&popper).await.job, first);
    let second = world.job().await;
    world.hint_lane("another").await;
    world.hint_lane("default").await;
    assert_eq!(world.pop(&popper).await.job, second);
    populator.stop().await;
}

#[tokio::test]
async fn a_row_that_is_committed_late_is_found() {
    let (world, populator) = World::running().await;
    let (store, merchant) = (world.store().clone(), world.merchant);
    // Its due time lies before that of rows which later sweeps have already passed.
    let late = tokio::spawn(async move {
        let insert = format!(
            "BEGIN;
             INSERT INTO jobs_live (merchant_id, id, state, run_at, scheduled_for, created_at, queue, lane, priority,
                                    max_attempts, timeout_ms, target)
             SELECT '{merchant}', '00000000-0000-0000-0000-00000000000a', 'scheduled', t, t, t, 'default', 'default', 5,
                    5, 30000, '{{\"kind\":\"noop\"}}'
               FROM (SELECT clock_timestamp() AS t) AS now;
             SELECT pg_sleep(1.5);
             COMMIT"
        );
        sql::execute(&store, &insert).await;
    });
    let popper = world.popper("default").await;
    for _ in 0..3 {
        let job = JobSeed { due_in_seconds: 0.0, ..JobSeed::due(world.merchant) }.insert(world.store()).await;
        let popped = world.pop(&popper).await;
        assert_eq!(popped.job, job);
        world.gone(&[popped]).await;
    }
    assert!(!late.is_finished(), "several sweeps have passed it by now");
    assert_eq!(world.pop(&popper).await.job.0.as_u128(), 0xa);
    late.await.unwrap();
    populator.stop().await;
}

#[tokio::test]
async fn a_job_past_its_start_deadline_is_left_to_the_watcher() {
    let (world, populator) = World::running().await;
    let late = JobSeed { start_deadline_in_seconds: Some(-0.5), ..JobSeed::due(world.merchant) };
    late.insert(world.store()).await;
    let job = world.job().await;
    let popper = world.popper("default").await;
    assert_eq!(world.pop(&popper).await.job, job);
    assert_eq!(world.depth().await, 0);
    populator.stop().await;
}

#[tokio::test]
async fn priorities_and_lanes_have_sets_of_their_own() {
    let (world, populator) = World::running().await;
    for priority in [9, 0] {
        JobSeed { priority, ..JobSeed::due(world.merchant) }.insert(world.store()).await;
    }
    // Nobody has named this lane but the job.
    JobSeed { lane: "other".into(), ..JobSeed::due(world.merchant) }.insert(world.store()).await;
    let expected = |one: &[usize]| (0..10).map(|p| u64::from(one.contains(&p))).collect::<Vec<_>>();
    for (lane, priorities) in [("default", &[0_usize, 9][..]), ("other", &[5][..])] {
        eventually(SOON, || async {
            (world.queue().depths(lane).await.unwrap() == expected(priorities)).then_some(())
        })
        .await;
    }
    populator.stop().await;
}
