//! Incidents: one open per key, escalated until acknowledged, closed when quiet.

use crate::world::{World, pump};
use scheduler_core::reconcile::Wake;
use scheduler_core::store::Store;
use std::time::Duration;
use task_failure_watcher::{Incidents, IncidentsConfig, Verdicts, VerdictsConfig};
use test_support::seed::JobSeed;
use uuid::Uuid;

const CONFIG: IncidentsConfig = IncidentsConfig {
    escalate_after: Duration::from_secs(900),
    escalations_max: 2,
    quiet: Duration::from_secs(86_400),
    batch: 10,
};

fn duty(world: &World) -> Incidents {
    Incidents::new(world.store().clone(), CONFIG, Wake::new())
}

/// A job of a queue that dies.
async fn death(world: &World, queue: &str) {
    let seed = JobSeed { queue: queue.to_owned(), ..JobSeed::failed(world.merchant, 1, false) };
    seed.insert(world.store()).await;
    let config = VerdictsConfig { batch: 100, ..VerdictsConfig::of(&scheduler_core::config::Settings::defaults()) };
    pump(&mut Verdicts::new(&world.stores, world.announcer.clone(), config, Wake::new())).await;
}

async fn sent(world: &World, kind: &str) -> i64 {
    world.number(&format!("SELECT count(*) FROM alert_outbox WHERE kind = '{kind}'")).await
}

async fn open_one(world: &World) -> Uuid {
    world.text("SELECT id::text FROM incidents WHERE resolved_at IS NULL").await.unwrap().parse().unwrap()
}

/// Lets time go by for all incidents.
async fn later(world: &World, seconds: u32) {
    let back = |column: &str| format!("{column} = {column} - interval '{seconds} s'");
    let times = ["opened_at", "last_at", "escalated_at", "acknowledged_at"].map(back).join(", ");
    world.execute(&format!("UPDATE incidents SET {times}")).await;
}

#[tokio::test]
async fn one_key_has_one_open_incident_of_which_one_alert_is_sent() {
    let world = World::new().await;
    for queue in ["emails", "emails", "reports", "emails"] {
        death(&world, queue).await;
    }
    assert_eq!(sent(&world, "job.dead").await, 2);
    assert_eq!(world.number("SELECT alerts FROM incidents WHERE dedupe_key = 'job.dead:queue:emails'").await, 3);
    let named = "SELECT count(*) FROM alert_outbox o JOIN incidents i ON i.id = o.incident_id
                  WHERE o.body::jsonb->'data'->>'incident_id' = i.id::text";
    assert_eq!(world.number(named).await, 2, "the alert names its incident");
}

#[tokio::test]
async fn an_incident_escalates_until_it_is_acknowledged_also_by_a_new_watcher() {
    let world = World::new().await;
    death(&world, "emails").await;
    pump(&mut duty(&world)).await;
    assert_eq!(sent(&world, "incident.escalated").await, 0, "not at once");
    later(&world, 901).await;
    // Two watchers, and then another process that knows nothing but the rows.
    let (mut one, mut two) = (duty(&world), duty(&world));
    tokio::join!(pump(&mut one), pump(&mut two));
    assert_eq!(sent(&world, "incident.escalated").await, 1);
    drop((one, two));
    pump(&mut duty(&world)).await;
    assert_eq!(sent(&world, "incident.escalated").await, 1, "the next one comes as late");
    let id = open_one(&world).await;
    let store: &Store = world.store();
    let first = store.acknowledge_incident(world.merchant, id, Some("kim")).await.unwrap().unwrap();
    let again = store.acknowledge_incident(world.merchant, id, Some("lee")).await.unwrap().unwrap();
    assert_eq!((first.state, first.acknowledged_by.as_deref()), ("acknowledged", Some("kim")));
    assert_eq!(first, again);
    later(&world, 901).await;
    pump(&mut duty(&world)).await;
    assert_eq!(sent(&world, "incident.escalated").await, 1);
}

#[tokio::test]
async fn escalations_end() {
    let world = World::new().await;
    death(&world, "emails").await;
    for _ in 0..4 {
        later(&world, 901).await;
        pump(&mut duty(&world)).await;
    }
    assert_eq!(sent(&world, "incident.escalated").await, 2);
}

#[tokio::test]
async fn after_the_end_the_next_alert_opens_another() {
    let world = World::new().await;
    death(&world, "emails").await;
    let id = open_one(&world).await;
    for _ in 0..2 {
        let resolved = world.store().resolve_incident(world.merchant, id).await.unwrap().unwrap();
        assert_eq!((resolved.state, resolved.resolution.as_deref()), ("resolved", Some("resolved")));
    }
    assert_eq!(sent(&world, "incident.resolved").await, 1, "told once");
    death(&world, "emails").await;
    assert_ne!(open_one(&world).await, id);
    assert_eq!(sent(&world, "job.dead").await, 2);
    later(&world, 86_401).await;
    pump(&mut duty(&world)).await;
    assert_eq!(world.number("SELECT count(*) FROM incidents WHERE resolution = 'quiet'").await, 1);
    assert_eq!(sent(&world, "incident.resolved").await, 2);
}

/// Many deaths of two keys in several transactions, while somebody resolves whatever is open: never two open ones of a key, none
/// without its alert, no death uncounted.
#[tokio::test]
async fn races_leave_one_open_incident_and_lose_no_alert() {
    let world = World::new().await;
    let keys = ["a", "b"];
    let raise = async |n: usize| {
        let (first, second) = (keys[n % 2], keys[(n + 1) % 2]);
        let insert = format!(
            "INSERT INTO alert_outbox (id, merchant_id, kind, opens, dedupe_key, body)
             SELECT gen_random_uuid(), '{}', 'job.dead', true, k, '{{\"data\": {{}}}}'
               FROM unnest(ARRAY['{first}', '{second}']) AS k ORDER BY k",
            world.merchant
        );
        world.execute(&insert).await;
    };
    let resolve = async || {
        for incident in world.store().list_incidents(world.merchant, Some(true), None, 10).await.unwrap() {
            world.store().resolve_incident(world.merchant, incident.id).await.unwrap();
        }
    };
    let raising = futures::future::join_all((0..20).map(raise));
    let resolving = async {
        for _ in 0..10 {
            resolve().await;
        }
    };
    tokio::join!(raising, resolving);
    assert_eq!(world.number("SELECT sum(alerts)::bigint FROM incidents").await, 40);
    let alerts = sent(&world, "job.dead").await;
    assert_eq!(world.number("SELECT count(*) FROM incidents").await, alerts, "one alert opens one incident");
}
