//! Clients that hang up, databases that are away, queues that are full.

use crate::world::{Answer, SOON, World, job};
use reqwest::Method;
use scheduler_core::config::SecretUrl;
use serde_json::json;
use std::time::Duration;
use test_support::{eventually, sql};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// Sends a create and hangs up without waiting for the answer.
async fn hang_up_after(world: &World, body: &str, pause: Duration) {
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let head = format!(
        "POST /v1/jobs HTTP/1.1\r\nhost: a\r\nx-api-key: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        world.api_key(),
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    tokio::time::sleep(pause).await;
}

#[tokio::test]
async fn clients_that_hang_up_leave_no_open_transaction() {
    let world = World::new().await;
    let parent = world.create(json!({"delay_seconds": 60})).await;
    let child = job(json!({"depends_on": [parent], "delay_seconds": 60})).to_string();
    let hang_ups = (0..60).map(|n| hang_up_after(&world, &child, Duration::from_micros(n * 50)));
    futures::future::join_all(hang_ups).await;
    let open = "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND application_name = 'task_scheduler_api'
                   AND state <> 'idle'";
    eventually(SOON, || async { (sql::number(world.store(), open).await == 0).then_some(()) }).await;
    // What was begun was carried through: no child without its link.
    let children = sql::number(world.store(), "SELECT count(*) FROM jobs_live WHERE state = 'blocked'").await;
    let links = sql::number(world.store(), "SELECT count(*) FROM job_dependencies").await;
    assert_eq!(children, links);
    world.create(json!({})).await;
}

#[tokio::test]
async fn without_a_database_callers_hear_503_and_probes_say_why() {
    let world = World::unready(|settings| {
        settings.database.url = SecretUrl::new("postgres://nobody@127.0.0.1:1/none");
    })
    .await;
    let refused = eventually(SOON, || async {
        let answer = world.bare(Method::GET, "/health/ready").send().await;
        answer.ok().filter(|answer| answer.status() == 503)
    })
    .await;
    assert!(refused.text().await.unwrap().contains("postgresql"));
    Answer::of(world.bare(Method::GET, "/health/live")).await.expect(200);
    let answer = world.get("/v1/jobs").await;
    assert_eq!(answer.header("retry-after"), "1");
    answer.problem(503, "starting");
}

#[tokio::test]
async fn a_full_ingest_is_503_with_retry_after() {
    let world = World::with(|settings| {
        settings.api.ingest_queue_max = 2;
        settings.api.ingest_flushers = 1;
        settings.api.ingest_group_max = 1;
    })
    .await;
    let mut lock = world.store().pool().begin().await.unwrap();
    let locked = "LOCK TABLE jobs_live IN SHARE MODE";
    sql::execute_on(&mut lock, locked).await;
    let creates = (0..20).map(|_| world.post("/v1/jobs", job(json!({}))));
    let release = async {
        let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'jobs_live'::regclass";
        eventually(SOON, || async { (sql::number(world.store(), waiting).await > 0).then_some(()) }).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        lock.rollback().await.unwrap();
    };
    let (answers, ()) = tokio::join!(futures::future::join_all(creates), release);
    let (created, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    assert!(created.len() >= 3 && !refused.is_empty(), "{} created", created.len());
    for answer in refused {
        assert_eq!(answer.header("retry-after"), "1");
        answer.problem(503, "ingest_full");
    }
    assert_eq!(sql::number(world.store(), "SELECT count(*) FROM jobs_live").await, created.len() as i64);
}

#[tokio::test]
async fn a_slow_request_is_answered_503_and_carried_through() {
    let world = World::with(|settings| settings.api.request_timeout = Duration::from_millis(400)).await;
    let mut lock = world.store().pool().begin().await.unwrap();
    sql::execute_on(&mut lock, "LOCK TABLE jobs_live IN SHARE MODE").await;
    world.post("/v1/jobs", job(json!({}))).await.problem(503, "timeout");
    lock.rollback().await.unwrap();
    let created = || async { (sql::number(world.store(), "SELECT count(*) FROM jobs_live").await == 1).then_some(()) };
    eventually(SOON, created).await;
}

#[tokio::test]
async fn a_database_that_drops_its_connections_loses_no_answered_job() {
    let world = World::new().await;
    let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                 WHERE datname = current_database() AND application_name = 'task_scheduler_api'";
    let creates = (0..300).map(|n| {
        let world = &world;
        async move {
            tokio::time::sleep(Duration::from_millis(n % 100)).await;
            world.post("/v1/jobs", job(json!({"external_id": n.to_string()}))).await
        }
    });
    let trouble = async {
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            sql::number(world.store(), kill).await;
        }
    };
    let (answers, ()) = tokio::join!(futures::future::join_all(creates), trouble);
    let (created, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    assert!(refused.iter().all(|answer| answer.status == 503), "{refused:?}");
    for answer in &created {
        let id = answer.id();
        assert_eq!(sql::number(world.store(), &format!("SELECT count(*) FROM jobs_live WHERE id = '{id}'")).await, 1);
    }
    let twice = "SELECT count(*) FROM (SELECT external_id FROM jobs_live GROUP BY 1 HAVING count(*) > 1) AS twice";
    assert_eq!(sql::number(world.store(), twice).await, 0);
}

#[tokio::test]
async fn a_slow_database_makes_it_shed_while_probes_and_executors_go_on() {
    let world = World::with(|settings| {
        settings.api.max_requests = 6;
        settings.database.max_connections = 4;
    })
    .await;
    let executor = world.executor().await;
    let mut lock = world.store().pool().begin().await.unwrap();
    sql::execute_on(&mut lock, "LOCK TABLE jobs_live IN ACCESS EXCLUSIVE MODE").await;
    let asked = (0..40).map(|n| {
        let world = &world;
        async move {
            match n % 2 {
                0 => world.get("/v1/jobs").await,
                _ => world.post("/v1/jobs", job(json!({}))).await,
            }
        }
    });
    let meanwhile = async {
        let busy = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'jobs_live'::regclass";
        eventually(SOON, || async { (sql::number(world.store(), busy).await >= 2).then_some(()) }).await;
        Answer::of(world.bare(Method::GET, "/health/live")).await.expect(200);
        assert!(executor.renew().await, "a heartbeat has a connection of its own");
        tokio::time::sleep(Duration::from_millis(300)).await;
        lock.rollback().await.unwrap();
    };
    let (answers, ()) = tokio::join!(futures::future::join_all(asked), meanwhile);
    let (served, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status.is_success());
    assert!(!served.is_empty() && refused.len() >= 20, "{} served, {} refused", served.len(), refused.len());
    for answer in refused {
        assert_eq!(answer.header("retry-after"), "1");
        assert_eq!(answer.status, 503);
    }
    world.create(json!({})).await;
}
