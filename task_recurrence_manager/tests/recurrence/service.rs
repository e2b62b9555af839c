//! The service as a whole: its loops, its wake-ups, its start.

use crate::world::World;
use chrono::TimeDelta;
use scheduler_core::config::{SecretUrl, Settings};
use scheduler_core::health::Health;
use scheduler_core::lifecycle::Shutdown;
use scheduler_core::queue::hints::Topic;
use scheduler_core::queue::{Hint, HintReceiver, HintSender};
use serde_json::json;
use std::time::{Duration, Instant};
use test_support::{eventually, seed, templates};

const PATIENCE: Duration = Duration::from_secs(30);

fn settings(world: &World) -> Settings {
    let mut settings = Settings::defaults();
    settings.database.url = SecretUrl::new(world.database.url());
    settings.redis.url = SecretUrl::new(world.redis.url());
    settings.redis.prefix = world.redis.prefix().to_owned();
    settings
}

#[tokio::test]
async fn a_hint_makes_a_new_template_fire_on_time() {
    let world = World::new().await;
    let mut settings = settings(&world);
    // Only the hint can wake it within the test.
    settings.recurrence.tick = Duration::from_secs(60);
    let (trigger, shutdown) = Shutdown::new();
    let health = Health::new("test");
    let service = tokio::spawn(task_recurrence_manager::run(settings, health.clone(), shutdown));
    let redis = world.redis.redis().await;
    let mut hints = HintReceiver::subscribe(&redis, &[Topic::Due]).await.unwrap();
    eventually(PATIENCE, || async { health.is_ready().then_some(()) }).await;

    let now = seed::database_now(world.store()).await;
    let at = (now + TimeDelta::seconds(2)).to_rfc3339();
    let body = templates::body("soon", json!({"kind": "once", "at": at}));
    let id = templates::create(world.store(), world.merchant, now, body).await.id;
    let sender = HintSender::new(redis);
    let asked = Instant::now();
    // Subscriptions come to be in their own time; until then a hint is lost.
    let job = eventually(PATIENCE, || async {
        sender.template().await;
        world.live_jobs(id).await.pop()
    })
    .await;
    assert!(asked.elapsed() < Duration::from_secs(2), "planned after its time: {:?}", asked.elapsed());
    let Hint::Due(due) = tokio::time::timeout(PATIENCE, hints.next()).await.unwrap() else {
        panic!("not a due hint");
    };
    assert_eq!((due[0].member.job.0, due[0].run_at), (job.id, job.run_at));

    trigger.soft();
    tokio::time::timeout(PATIENCE, service).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn it_waits_for_a_database_that_cannot_be_reached() {
    let world = World::new().await;
    let mut settings = settings(&world);
    settings.database.url = SecretUrl::new("postgres://nobody@127.0.0.1:1/nothing");
    let (trigger, shutdown) = Shutdown::new();
    let health = Health::new("test");
    let service = tokio::spawn(task_recurrence_manager::run(settings, health.clone(), shutdown));
    eventually(PATIENCE, || async { (!health.is_ready()).then_some(()) }).await;
    assert!(!service.is_finished());
    trigger.soft();
    tokio::time::timeout(PATIENCE, service).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn it_works_without_redis() {
    let world = World::new().await;
    let mut settings = settings(&world);
    settings.redis.url = SecretUrl::new("redis://127.0.0.1:1/0");
    let (trigger, shutdown) = Shutdown::new();
    let service = tokio::spawn(task_recurrence_manager::run(settings, Health::new("test"), shutdown));
    let now = seed::database_now(world.store()).await;
    let body = templates::body("t", json!({"kind": "interval", "every_seconds": 20}));
    let id = templates::create(world.store(), world.merchant, now, body).await.id;
    eventually(PATIENCE, || async { (world.live_jobs(id).await.len() >= 3).then_some(()) }).await;
    trigger.soft();
    tokio::time::timeout(PATIENCE, service).await.unwrap().unwrap().unwrap();
}
