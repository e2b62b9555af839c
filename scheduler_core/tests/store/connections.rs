//! Calls that are abandoned, and lines that go silent.

use crate::line::{Line, Mode};
use crate::world::World;
use scheduler_core::domain::JobId;
use scheduler_core::store::dead_letters::Redrive;
use scheduler_core::store::transitions::verdict::BurialOrder;
use scheduler_core::store::{ErrorClass, Store, StoreOptions, StoreRole};
use std::time::{Duration, Instant};
use test_support::seed::{self, JobSeed};
use test_support::{eventually, sql};

const SOON: Duration = Duration::from_secs(20);

fn store_at(url: &str, connections: u32) -> Store {
    store_with(url, connections, Duration::from_millis(500))
}

fn store_with(url: &str, connections: u32, statement_timeout: Duration) -> Store {
    let options = StoreOptions {
        statement_timeout,
        acquire_timeout: Duration::from_secs(2),
        ..StoreOptions::new(url, StoreRole::Durable, connections, "test_line")
    };
    Store::connect_lazy(&options).unwrap()
}

#[tokio::test]
async fn a_silent_line_ends_every_call_and_the_pool_recovers() {
    let world = World::new().await;
    let line = Line::to(world.db.url()).await;
    let store = store_at(&line.url(world.db.url()), 3);
    // All three connections are open, and go silent while they are used.
    let calls = || async { futures::future::join_all((0..3).map(|_| store.read_clock())).await };
    assert!(calls().await.iter().all(Result::is_ok));
    line.set(Mode::Silent);
    let started = Instant::now();
    let silent = calls().await;
    assert!(silent.iter().all(|answer| answer.as_ref().is_err_and(|error| error.is_unavailable())), "{silent:?}");
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    let transaction = store.cancel(world.merchant, world.job().await).await.unwrap_err();
    assert!(transaction.is_unavailable());
    line.set(Mode::Open);
    eventually(SOON, || async { calls().await.iter().all(Result::is_ok).then_some(()) }).await;
}

#[tokio::test]
async fn connections_that_go_silent_on_their_way_back_are_no_loss() {
    let world = World::new().await;
    let line = Line::to(world.db.url()).await;
    let store = store_at(&line.url(world.db.url()), 2);
    for _ in 0..3 {
        let (one, other) = tokio::join!(store.pool().acquire(), store.pool().acquire());
        line.set(Mode::Silent);
        drop((one.unwrap(), other.unwrap()));
        tokio::time::sleep(Duration::from_millis(20)).await;
        line.set(Mode::Open);
        eventually(SOON, || async { store.read_clock().await.ok() }).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_are_abandoned_anywhere_leave_no_transaction_behind() {
    let world = World::new().await;
    let store = store_at(world.db.url(), 4);
    let jobs: Vec<_> = futures::future::join_all((0..20).map(|_| world.job())).await;
    for round in 0..400_u64 {
        let job = jobs[round as usize % jobs.len()];
        // Somewhere between before the first byte and after the last.
        let abandoned = tokio::time::timeout(Duration::from_micros(round * 7), store.run_now(world.merchant, job));
        let _whatever_came_of_it = abandoned.await;
    }
    for _ in 0..40 {
        // In a transaction of somebody else's this would fail (25P02) or be seen by nobody.
        store.run_now(world.merchant, jobs[0]).await.unwrap();
    }
    let open = "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND application_name = 'test_line' AND state LIKE 'idle in%'";
    eventually(SOON, || async { (world.number(open).await == 0).then_some(()) }).await;
    let connections = "SELECT count(*) FROM pg_stat_activity
                        WHERE datname = current_database() AND application_name = 'test_line'";
    eventually(SOON, || async { (world.number(connections).await <= 4).then_some(()) }).await;
    assert_eq!(world.number("SELECT count(*) FROM claims").await, 0, "no key is held");
}

#[tokio::test]
async fn without_a_connection_nothing_was_sent() {
    let store = store_at("postgres://nobody@127.0.0.1:1/none", 1);
    assert_eq!(store.read_clock().await.unwrap_err().class(), ErrorClass::Retry);
}

#[tokio::test]
async fn a_redrive_whose_answer_is_lost_is_resolved_by_its_id() {
    let world = World::new().await;
    let key = world.run(JobSeed { max_attempts: 1, ..JobSeed::due(world.merchant) }.insert(world.store()).await).await;
    world.fail(key).await;
    let failed = world.results.failed_jobs(None, 1).await.unwrap();
    world.results.bury(&[BurialOrder { key: failed[0].key, reason: "exhausted" }]).await.unwrap();

    let line = Line::to(world.db.url()).await;
    // Long enough for the insert to wait until the answers are cut.
    let store = store_with(&line.url(world.db.url()), 1, Duration::from_secs(3));
    let now = store.read_clock().await.unwrap().database;
    // The statement is prepared by then, so that one message is all that it takes.
    let nothing = store.redrive(world.merchant, JobId(uuid::Uuid::nil()), true, now).await.unwrap();
    assert_eq!(nothing, Redrive::NotFound);
    let redriving = store.redrive(world.merchant, key.job, true, now);
    let cutting = async {
        let written = "SELECT count(*) FROM jobs_live WHERE redriven_from IS NOT NULL";
        eventually(SOON, || async { (world.number(written).await == 1).then_some(()) }).await;
        line.set(Mode::Open);
    };
    // Held up until the answers are cut: the insert waits for the lock.
    let mut lock = world.store().pool().begin().await.unwrap();
    sql::execute_on(&mut lock, "LOCK TABLE jobs_live IN SHARE MODE").await;
    let releasing = async {
        let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'jobs_live'::regclass";
        eventually(SOON, || async { (world.number(waiting).await > 0).then_some(()) }).await;
        line.set(Mode::NoAnswers);
        lock.rollback().await.unwrap();
        cutting.await;
    };
    let (redriven, ()) = tokio::join!(redriving, releasing);
    let Redrive::Created(created) = redriven.unwrap() else { panic!("not created") };
    assert_eq!(seed::stored_state(world.store(), world.merchant, created.id).await.as_deref(), Some("scheduled"));
    assert_eq!(world.number("SELECT count(*) FROM jobs_live").await, 1);
}
