use crate::world::{World, pump};
use scheduler_core::config::Secret;
use scheduler_core::domain::MerchantId;
use scheduler_core::domain::backoff::{Backoff, BackoffKind, Jitter};
use scheduler_core::reconcile::Wake;
use scheduler_core::store::alerts::LeaseOptions;
use std::time::{Duration, Instant};
use task_failure_watcher::{Alerts, AlertsConfig, sign};
use test_support::{Delivery, Receiver, Script, eventually, seed};

const SOON: Duration = Duration::from_secs(10);

fn config() -> AlertsConfig {
    let pauses = Backoff {
        kind: BackoffKind::Fixed,
        initial_seconds: 0.02,
        factor: 1.0,
        max_seconds: 1.0,
        jitter: Jitter::Full,
    };
    AlertsConfig { url: None, secret: None, max_attempts: 3, timeout: Duration::from_secs(5), pauses }
}

fn duty(world: &World, config: AlertsConfig) -> Alerts {
    Alerts::new(world.store().clone(), config, Wake::new()).unwrap()
}

async fn outbox(world: &World, merchant: MerchantId, count: i32) {
    world
        .execute(&format!(
            "INSERT INTO alert_outbox (id, merchant_id, kind, dedupe_key, body)
             SELECT gen_random_uuid(), '{merchant}', 'job.dead', 'k', '{{\"n\":' || n || '}}'
               FROM generate_series(1, {count}) AS n"
        ))
        .await;
}

/// Ticks until as many alerts are closed one way or the other.
async fn until_closed(world: &World, duty: &mut Alerts, count: i64) {
    let started = Instant::now();
    let closed = "SELECT count(*) FROM alert_outbox WHERE delivered_at IS NOT NULL OR gave_up_at IS NOT NULL";
    while world.number(closed).await < count {
        assert!(started.elapsed() < Duration::from_secs(20), "not closed");
        pump(duty).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn assert_signed(delivery: &Delivery, secret: &str) {
    let body = std::str::from_utf8(&delivery.body).unwrap();
    let timestamp = delivery.header("webhook-timestamp").parse().unwrap();
    let expected = sign(secret, delivery.header("webhook-id"), timestamp, body);
    assert_eq!(delivery.header("webhook-signature"), expected);
}

#[tokio::test]
async fn an_alert_is_posted_signed_and_closed() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let url = receiver.url("/hook");
    world.store().set_merchant_alerts(world.merchant, Some(&url), Some("whsec_c2VjcmV0")).await.unwrap();
    outbox(&world, world.merchant, 1).await;
    until_closed(&world, &mut duty(&world, config()), 1).await;
    let delivery = &receiver.deliveries()[0];
    assert_eq!((delivery.method.as_str(), delivery.uri.path()), ("POST", "/hook"));
    assert_eq!(delivery.header("content-type"), "application/json");
    assert_eq!(delivery.body.as_ref(), br#"{"n":1}"#);
    assert_eq!(Some(delivery.header("webhook-id").to_owned()), world.text("SELECT id::text FROM alert_outbox").await);
    assert_signed(delivery, "whsec_c2VjcmV0");
    let now = seed::database_now(world.store()).await.timestamp();
    let sent: i64 = delivery.header("webhook-timestamp").parse().unwrap();
    assert!((now - 30..=now).contains(&sent), "{sent} is not now ({now})");
    let delivered = "SELECT count(*) FROM alert_outbox WHERE delivered_at IS NOT NULL AND attempts = 1";
    assert_eq!(world.number(delivered).await, 1);
}

#[tokio::test]
async fn merchants_without_a_receiver_share_that_of_the_platform_and_its_secret() {
    let world = World::new().await;
    let (own, platform) = (Receiver::start().await, Receiver::start().await);
    let other = seed::merchant(world.store(), "other").await;
    world.store().set_merchant_alerts(other, Some(&own.url("/")), None).await.unwrap();
    outbox(&world, world.merchant, 1).await;
    outbox(&world, other, 1).await;
    let secret = Some(Secret::new("of the platform"));
    let config = AlertsConfig { url: Some(platform.url("/")), secret, ..config() };
    until_closed(&world, &mut duty(&world, config), 2).await;
    assert_signed(&platform.deliveries()[0], "of the platform");
    // Its own receiver without a secret of its own: not signed with somebody else's.
    assert_eq!(own.deliveries()[0].header("webhook-signature"), "");
}

#[tokio::test]
async fn an_alert_is_tried_again_with_the_same_id_until_it_is_taken() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    receiver.answer(vec![
        Script::status(500),
        Script::status(302).header("location", "/elsewhere"),
        Script::status(204),
    ]);
    world.store().set_merchant_alerts(world.merchant, Some(&receiver.url("/")), None).await.unwrap();
    outbox(&world, world.merchant, 1).await;
    until_closed(&world, &mut duty(&world, config()), 1).await;
    let deliveries = receiver.deliveries();
    assert_eq!(deliveries.len(), 3);
    assert!(
        deliveries.iter().all(|d| d.uri.path() == "/" && d.header("webhook-id") == deliveries[0].header("webhook-id"))
    );
    let delivered = "SELECT count(*) FROM alert_outbox WHERE delivered_at IS NOT NULL AND attempts = 3";
    assert_eq!(world.number(delivered).await, 1);
}

#[tokio::test]
async fn an_alert_that_nobody_takes_is_given_up() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    receiver.answer(vec![Script::status(503)]);
    world.store().set_merchant_alerts(world.merchant, Some(&receiver.url("/")), None).await.unwrap();
    outbox(&world, world.merchant, 1).await;
    until_closed(&world, &mut duty(&world, AlertsConfig { max_attempts: 2, ..config() }), 1).await;
    assert_eq!(receiver.deliveries().len(), 2);
    let why = world.text("SELECT last_error FROM alert_outbox WHERE gave_up_at IS NOT NULL").await;
    assert_eq!(why.as_deref(), Some("the receiver answered 503"));
}

#[tokio::test]
async fn what_is_wrong_with_a_receiver_is_said_without_its_url() {
    let world = World::new().await;
    let cases = [
        ("http://127.0.0.1:9/secret-path", "no connection to the receiver"),
        ("not a url", "the alert_url cannot be used"),
    ];
    for (url, expected) in cases {
        world.execute("DELETE FROM alert_outbox").await;
        world.store().set_merchant_alerts(world.merchant, Some(url), None).await.unwrap();
        outbox(&world, world.merchant, 1).await;
        until_closed(&world, &mut duty(&world, AlertsConfig { max_attempts: 1, ..config() }), 1).await;
        assert_eq!(world.text("SELECT last_error FROM alert_outbox").await.as_deref(), Some(expected));
    }
    let slow = Receiver::start().await;
    slow.answer(vec![Script::status(200).delay(Duration::from_secs(30))]);
    world.execute("DELETE FROM alert_outbox").await;
    world.store().set_merchant_alerts(world.merchant, Some(&slow.url("/")), None).await.unwrap();
    outbox(&world, world.merchant, 1).await;
    let impatient = AlertsConfig { max_attempts: 1, timeout: Duration::from_millis(100), ..config() };
    until_closed(&world, &mut duty(&world, impatient), 1).await;
    assert_eq!(world.text("SELECT last_error FROM alert_outbox").await.as_deref(), Some("no answer within 0.1 s"));
}

#[tokio::test]
async fn without_any_receiver_an_alert_is_closed_quietly() {
    let world = World::new().await;
    outbox(&world, world.merchant, 3).await;
    pump(&mut duty(&world, config())).await;
    let closed = "SELECT count(*) FROM alert_outbox WHERE gave_up_at IS NOT NULL AND last_error = 'no alert_url'";
    assert_eq!(world.number(closed).await, 3);
}

#[tokio::test]
async fn a_slow_receiver_holds_up_nobody_else() {
    let world = World::new().await;
    let (slow, quick) = (Receiver::start().await, Receiver::start().await);
    slow.answer(vec![Script::status(200).delay(Duration::from_secs(60))]);
    let other = seed::merchant(world.store(), "other").await;
    world.store().set_merchant_alerts(world.merchant, Some(&slow.url("/")), None).await.unwrap();
    world.store().set_merchant_alerts(other, Some(&quick.url("/")), None).await.unwrap();
    outbox(&world, world.merchant, 100).await;
    outbox(&world, other, 1).await;
    let mut duty = duty(&world, AlertsConfig { timeout: Duration::from_secs(60), ..config() });
    pump(&mut duty).await;
    quick.wait_for(1, SOON).await;
    let under_way = slow.wait_for(4, SOON).await.len();
    assert_eq!(under_way, 4, "no more of one merchant at once");
}

#[tokio::test]
async fn two_watchers_deliver_each_alert_once() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    world.store().set_merchant_alerts(world.merchant, Some(&receiver.url("/")), None).await.unwrap();
    outbox(&world, world.merchant, 40).await;
    let (mut one, mut two) = (duty(&world, config()), duty(&world, config()));
    tokio::join!(until_closed(&world, &mut one, 40), until_closed(&world, &mut two, 40));
    assert_eq!(receiver.deliveries().len(), 40);
}

#[tokio::test]
async fn an_alert_whose_deliverer_died_is_due_again_after_its_lease() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    world.store().set_merchant_alerts(world.merchant, Some(&receiver.url("/")), None).await.unwrap();
    outbox(&world, world.merchant, 1).await;
    let lease = |lease| LeaseOptions { limit: 10, per_merchant: 10, except: &[], lease };
    let mine = world.store().lease_alerts(&lease(Duration::from_millis(50))).await.unwrap();
    assert_eq!((mine.len(), mine[0].attempt), (1, 1));
    let theirs =
        eventually(SOON, || async { world.store().lease_alerts(&lease(Duration::ZERO)).await.unwrap().pop() }).await;
    assert_eq!((theirs.id, theirs.attempt), (mine[0].id, 2));
    // Late news of the first attempt do not touch the second.
    assert!(!world.store().alert_failed(&mine[0], Duration::from_secs(3600), "late").await.unwrap());
    assert!(!world.store().alert_given_up(&mine[0], "late").await.unwrap());
    until_closed(&world, &mut duty(&world, config()), 1).await;
    assert_eq!(receiver.deliveries().len(), 1);
    assert!(!world.store().alert_delivered(mine[0].id).await.unwrap());
}
