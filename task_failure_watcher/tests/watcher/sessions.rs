use crate::world::{World, pump};
use chrono::TimeDelta;
use scheduler_core::domain::SessionId;
use scheduler_core::health::Health;
use scheduler_core::reconcile::{Reconcile, Wake};
use std::time::{Duration, Instant};
use task_failure_watcher::{Sessions, SessionsConfig};
use test_support::seed;

const LOST_AFTER: Duration = Duration::from_millis(1_500);

fn duty(world: &World, health: &Health) -> Sessions {
    Sessions::new(world.store().clone(), SessionsConfig { lost_after: LOST_AFTER }, health.clone(), Wake::new())
}

/// An executor session that has been silent for an hour.
async fn silent(world: &World) -> SessionId {
    let session = world.session().await;
    world
        .execute(&format!(
            "UPDATE sessions SET renewed_at = clock_timestamp() - interval '1 hour' WHERE id = '{session}'"
        ))
        .await;
    session
}

async fn is_lost(world: &World, session: SessionId) -> bool {
    world.number(&format!("SELECT count(lost_at) FROM sessions WHERE id = '{session}'")).await == 1
}

/// Ticks until the session is lost; returns how long that took.
async fn until_lost(world: &World, duty: &mut Sessions, session: SessionId) -> Duration {
    let started = Instant::now();
    while !is_lost(world, session).await {
        assert!(started.elapsed() < Duration::from_secs(20), "never lost");
        pump(duty).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    started.elapsed()
}

#[tokio::test]
async fn a_fresh_watcher_waits_for_its_own_contact() {
    let world = World::new().await;
    let (session, health) = (silent(&world).await, Health::new("test"));
    let mut duty = duty(&world, &health);
    // Before the contact begins, which is at some moment of the first tick.
    let started = Instant::now();
    pump(&mut duty).await;
    assert!(!is_lost(&world, session).await, "judged without contact");
    until_lost(&world, &mut duty, session).await;
    assert!(started.elapsed() >= LOST_AFTER, "{:?}", started.elapsed());
    assert!(health.is_ready());
}

#[tokio::test]
async fn an_outage_of_the_database_begins_the_contact_anew() {
    let world = World::new().await;
    let (first, health) = (silent(&world).await, Health::new("test"));
    let mut duty = duty(&world, &health);
    until_lost(&world, &mut duty, first).await;
    // Nobody can renew now: neither the watcher nor anybody else.
    world.execute("ALTER TABLE sessions RENAME TO sessions_away").await;
    duty.tick().await.unwrap_err();
    assert!(!health.is_ready());
    world.execute("ALTER TABLE sessions_away RENAME TO sessions").await;
    let second = silent(&world).await;
    pump(&mut duty).await;
    assert!(!is_lost(&world, second).await, "judged right after an outage");
    let took = until_lost(&world, &mut duty, second).await;
    assert!(took >= LOST_AFTER / 2, "{took:?}");
    assert!(health.is_ready());
}

#[tokio::test]
async fn a_session_that_renews_is_never_lost() {
    let world = World::new().await;
    let (dead, alive, health) = (silent(&world).await, world.session().await, Health::new("test"));
    let mut duty = duty(&world, &health);
    let started = Instant::now();
    while started.elapsed() < LOST_AFTER * 2 {
        assert!(world.store().renew_session(alive, LOST_AFTER).await.unwrap());
        pump(&mut duty).await;
    }
    assert!(is_lost(&world, dead).await);
    assert!(!is_lost(&world, alive).await);
}

#[tokio::test]
async fn being_lost_is_judged_by_the_moment_of_contact_and_not_by_now() {
    let world = World::new().await;
    let session = world.session().await;
    let contact = seed::database_now(world.store()).await;
    // The judgement was held up for an hour, as everything else was.
    world.execute("UPDATE sessions SET renewed_at = renewed_at - interval '4 seconds'").await;
    let lost_after = Duration::from_secs(8);
    assert_eq!(world.store().declare_lost(contact, lost_after).await.unwrap(), []);
    let later = contact + TimeDelta::seconds(5);
    let lost = world.store().declare_lost(later, lost_after).await.unwrap();
    assert_eq!(lost.len(), 1);
    assert_eq!((lost[0].id, lost[0].is_executor), (session, true));
    // Final.
    assert!(!world.store().renew_session(session, lost_after).await.unwrap());
    assert_eq!(world.store().declare_lost(later, lost_after).await.unwrap(), []);
}

#[tokio::test]
async fn a_watcher_that_was_lost_itself_begins_a_new_session() {
    let world = World::new().await;
    let mut duty = duty(&world, &Health::new("test"));
    pump(&mut duty).await;
    world.execute("UPDATE sessions SET lost_at = clock_timestamp()").await;
    let session = silent(&world).await;
    pump(&mut duty).await;
    assert!(!is_lost(&world, session).await);
    assert_eq!(world.number("SELECT count(*) FROM sessions WHERE lost_at IS NULL AND lanes = '{}'").await, 1);
}
