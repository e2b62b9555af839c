//! A soft shutdown: nothing new, what runs may finish, what has not started goes back at no attempt's cost.

use crate::support::{SOON, World};
use std::time::Duration;
use test_support::seed::JobSeed;
use test_support::{Receiver, Script, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn running_work_finishes() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    receiver.answer(vec![Script::status(200).delay(Duration::from_millis(700))]);
    let executor = world.start(&[]);
    let running = world.webhook(&receiver.url("/")).await;
    world.push(&[running]).await;
    receiver.wait_for(1, SOON).await;
    executor.drain().await;
    assert_eq!(world.state(running).await.as_deref(), Some("succeeded"));
    assert_eq!(world.number("SELECT count(*) FROM claims").await, 0);
    assert_eq!(world.number("SELECT count(*) FROM sessions WHERE lost_at IS NULL").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_has_not_started_goes_back_at_no_attempts_cost() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    // The moment between claim and start is short: on a busy machine it takes more than one try to hit it.
    for _ in 0..20 {
        let executor = world.start(&[]);
        eventually(SOON, || async { executor.health.is_ready().then_some(()) }).await;
        // Its connections are open and its plans are made: the first claim of a process takes longer than the moment.
        let first = world.webhook(&receiver.url("/")).await;
        world.push(&[first]).await;
        world.until_state(first, "succeeded").await;
        // Within the claim's reach, so that it is granted at the first try.
        let seed = JobSeed { due_in_seconds: 0.24, ..world.webhook_seed(&receiver.url("/")) };
        let job = seed.insert(world.db.store()).await;
        world.push(&[job]).await;
        let claimed = format!("SELECT count(*) FROM claims WHERE job_id = '{job}'");
        let was_claimed = eventually(SOON, || async {
            let claimed = world.number(&claimed).await == 1;
            (claimed || world.state(job).await.as_deref() == Some("succeeded")).then_some(claimed)
        })
        .await;
        executor.drain().await;
        assert_eq!(world.number(&claimed).await, 0);
        assert_eq!(world.number("SELECT count(*) FROM sessions WHERE lost_at IS NULL").await, 0);
        let state = world.state(job).await.unwrap();
        if was_claimed && state == "scheduled" {
            let untouched =
                format!("SELECT count(*) FROM jobs_live WHERE id = '{job}' AND attempt = 0 AND crashes = 0");
            assert_eq!(world.number(&untouched).await, 1);
            let executor = world.start(&[]);
            world.push(&[job]).await;
            world.until_state(job, "succeeded").await;
            executor.drain().await;
            return;
        }
        assert_eq!(state, "succeeded");
    }
    panic!("the drain never came between claim and start");
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_outlasts_the_grace_is_left_to_the_watcher() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    receiver.answer(vec![Script::status(200).delay(Duration::from_secs(60))]);
    let executor = world.start(&[("executor.drain_grace_seconds", "0.2")]);
    let job = world.webhook(&receiver.url("/")).await;
    world.push(&[job]).await;
    receiver.wait_for(1, SOON).await;
    executor.drain().await;
    assert_eq!(world.state(job).await.as_deref(), Some("scheduled"));
    assert_eq!(world.number("SELECT count(*) FROM claims").await, 1);
    // Not ended: its claim has to be missed first.
    assert_eq!(world.number("SELECT count(*) FROM sessions WHERE lost_at IS NULL").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hard_shutdown_does_not_wait() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    receiver.answer(vec![Script::status(200).delay(Duration::from_secs(60))]);
    let executor = world.start(&[("executor.drain_grace_seconds", "600")]);
    let job = world.webhook(&receiver.url("/")).await;
    world.push(&[job]).await;
    receiver.wait_for(1, SOON).await;
    executor.trigger.hard();
    executor.ended().await;
    assert_eq!(world.number("SELECT count(*) FROM claims").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_without_a_database_stops_when_asked() {
    let world = World::new().await;
    let executor = world.start(&[("database.url", "postgres://nobody@127.0.0.1:1/none")]);
    eventually(SOON, || async { (!executor.health.is_ready()).then_some(()) }).await;
    executor.drain().await;
}
