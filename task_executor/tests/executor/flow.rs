//! From a ready id to a stored result, and what may come between.

use crate::support::{SOON, World};
use scheduler_core::domain::JobId;
use scheduler_core::queue::{HintSender, Member};
use std::time::Duration;
use test_support::seed::{self, JobSeed};
use test_support::{Receiver, Script, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn no_op_jobs_run_in_batches() {
    let world = World::new().await;
    let mut jobs: Vec<JobId> = Vec::new();
    for _ in 0..300 {
        jobs.push(seed::job(world.db.store(), world.merchant).await);
    }
    let executor = world.start(&[]);
    world.push(&jobs).await;
    let done = "SELECT count(*) FROM jobs_finished WHERE state = 'succeeded' AND attempt = 1 AND response_body IS NULL";
    eventually(SOON, || async { (world.number(done).await == 300).then_some(()) }).await;
    executor.drain().await;
    assert_eq!(world.number("SELECT (SELECT count(*) FROM claims) + (SELECT count(*) FROM jobs_live)").await, 0);
    assert_eq!(world.number("SELECT count(*) FROM sessions WHERE lost_at IS NULL").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_and_doubles_in_redis_do_no_harm() {
    let world = World::new().await;
    let job = seed::job(world.db.store(), world.merchant).await;
    let executor = world.start(&[]);
    world.push(&[JobId(uuid::Uuid::from_u128(5)), job]).await;
    world.push(&[job]).await;
    world.until_state(job, "succeeded").await;
    world.push(&[job]).await;
    executor.drain().await;
    assert_eq!(world.number("SELECT count(*) FROM jobs_finished").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_claimed_ahead_starts_at_its_time_and_not_before() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    let executor = world.start(&[]);
    // One within the claim's reach, one beyond it, which the executor asks for again by itself.
    for due_in_seconds in [0.15, 0.8] {
        let seed = JobSeed { due_in_seconds, ..world.webhook_seed(&receiver.url("/")) };
        let job = seed.insert(world.db.store()).await;
        world.push(&[job]).await;
        world.until_state(job, "succeeded").await;
        let early = format!("SELECT count(*) FROM jobs_finished WHERE id = '{job}' AND started_at < run_at");
        assert_eq!(world.number(&early).await, 0);
    }
    executor.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrupt_target_fails_with_its_address() {
    let world = World::new().await;
    let bad = JobSeed { target: r#"{"kind":"carrier_pigeon"}"#.into(), ..JobSeed::due(world.merchant) };
    let bad = bad.insert(world.db.store()).await;
    let good = seed::job(world.db.store(), world.merchant).await;
    let executor = world.start(&[]);
    world.push(&[bad, good]).await;
    world.until_state(good, "succeeded").await;
    world.until_state(bad, "failed").await;
    let told =
        "SELECT count(*) FROM jobs_live WHERE NOT retryable AND last_error LIKE 'corrupt data: jobs_live.target of %'";
    assert_eq!(world.number(told).await, 1);
    executor.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_reaches_a_running_webhook_by_hint_and_without() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    receiver.answer(vec![Script::status(200).delay(Duration::from_secs(60))]);
    let executor = world.start(&[]);
    for (n, with_hint) in [(1, true), (2, false)] {
        let job = world.webhook(&receiver.url("/")).await;
        world.push(&[job]).await;
        receiver.wait_for(n, SOON).await;
        world.db.store().cancel(world.merchant, job).await.unwrap();
        if with_hint {
            HintSender::new(world.redis.redis().await).cancel(Member { merchant: world.merchant, job }).await;
        }
        world.until_state(job, "cancelled").await;
        let ended =
            format!("SELECT count(*) FROM jobs_finished WHERE id = '{job}' AND outcome = 'cancelled' AND attempt = 1");
        assert_eq!(world.number(&ended).await, 1);
    }
    executor.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_cancel_hint_changes_nothing() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    receiver.answer(vec![Script::status(200).delay(Duration::from_millis(600))]);
    let executor = world.start(&[]);
    let job = world.webhook(&receiver.url("/")).await;
    world.push(&[job]).await;
    receiver.wait_for(1, SOON).await;
    HintSender::new(world.redis.redis().await).cancel(Member { merchant: world.merchant, job }).await;
    world.until_state(job, "succeeded").await;
    executor.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_session_stops_its_effects_and_a_new_one_goes_on() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    receiver.answer(vec![Script::status(200).delay(Duration::from_secs(3)), Script::status(200)]);
    let executor = world.start(&[("session.renew_seconds", "0.1"), ("session.lost_seconds", "2")]);
    let job = world.webhook(&receiver.url("/")).await;
    world.push(&[job]).await;
    receiver.wait_for(1, SOON).await;
    // As a watcher does it: the session first, then its claim, and the job runs again.
    world.execute("UPDATE sessions SET lost_at = clock_timestamp(); DELETE FROM claims").await;
    eventually(SOON, || async {
        (world.number("SELECT count(*) FROM sessions WHERE lost_at IS NULL").await == 1).then_some(())
    })
    .await;
    world.push(&[job]).await;
    world.until_state(job, "succeeded").await;
    let deliveries = receiver.deliveries();
    assert_eq!(deliveries.len(), 2);
    let second =
        format!("SELECT count(*) FROM jobs_finished WHERE execution_id = '{}'", deliveries[1].header("x-execution-id"));
    assert_eq!(world.number(&second).await, 1);
    executor.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connection_of_an_effect_is_cut_when_the_session_is_lost() {
    use tokio::io::AsyncReadExt;
    let world = World::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let executor = world.start(&[("session.renew_seconds", "0.1"), ("session.lost_seconds", "2")]);
    let job = world.webhook(&format!("http://{}/", listener.local_addr().unwrap())).await;
    world.push(&[job]).await;
    let (mut connection, _) = listener.accept().await.unwrap();
    let mut request = [0; 4096];
    assert!(connection.read(&mut request).await.unwrap() > 0);
    world.execute("UPDATE sessions SET lost_at = clock_timestamp()").await;
    let cut = async { while connection.read(&mut request).await.is_ok_and(|read| read > 0) {} };
    tokio::time::timeout(SOON, cut).await.expect("the request goes on");
    executor.drain().await;
    // Neither a result nor a hand-back: the claim belongs to the watchers now.
    assert_eq!(world.number("SELECT count(*) FROM claims").await, 1);
    assert_eq!(world.state(job).await.as_deref(), Some("scheduled"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_under_a_session_that_was_lost_unnoticed_ends_it() {
    let world = World::new().await;
    // Renewals are far away: only a claim can find out.
    let executor = world.start(&[("session.renew_seconds", "20"), ("session.lost_seconds", "60")]);
    let first = seed::job(world.db.store(), world.merchant).await;
    world.push(&[first]).await;
    world.until_state(first, "succeeded").await;
    world.execute("UPDATE sessions SET lost_at = clock_timestamp()").await;
    let second = seed::job(world.db.store(), world.merchant).await;
    eventually(SOON, || async {
        world.push(&[second]).await;
        (world.state(second).await.as_deref() == Some("succeeded")).then_some(())
    })
    .await;
    executor.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_jobs_are_claimed_from_postgresql() {
    let world = World::new().await;
    let mut jobs = Vec::new();
    for _ in 0..50 {
        jobs.push(seed::job(world.db.store(), world.merchant).await);
    }
    let executor = world.start(&[("redis.url", "redis://127.0.0.1:1/0")]);
    for job in jobs {
        world.until_state(job, "succeeded").await;
    }
    assert!(!executor.health.is_ready());
    executor.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn overdue_jobs_that_nobody_pushes_are_found_all_the_same() {
    let world = World::new().await;
    let job = JobSeed { due_in_seconds: -60.0, ..JobSeed::due(world.merchant) }.insert(world.db.store()).await;
    let executor = world.start(&[]);
    world.until_state(job, "succeeded").await;
    executor.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lanes_share_the_places_of_the_process() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    receiver.answer(vec![Script::status(200).delay(Duration::from_millis(300))]);
    let executor = world.start(&[("executor.lanes", "default,slow=1"), ("executor.concurrency", "4")]);
    let mut jobs = Vec::new();
    for _ in 0..6 {
        jobs.push(world.webhook(&receiver.url("/")).await);
    }
    world.push(&jobs).await;
    receiver.wait_for(3, SOON).await;
    for job in jobs {
        world.until_state(job, "succeeded").await;
    }
    // At no time more than four at once: whoever came fifth came after the first had been answered.
    let at: Vec<_> = receiver.deliveries().into_iter().map(|delivery| delivery.at).collect();
    assert!(at[4] - at[0] >= Duration::from_millis(290), "{:?}", at[4] - at[0]);
    executor.drain().await;
}
