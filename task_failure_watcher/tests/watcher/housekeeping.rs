use crate::world::{World, pump};
use task_failure_watcher::Housekeeping;

#[tokio::test]
async fn idempotency_keys_go_when_they_have_expired() {
    let world = World::new().await;
    world
        .execute(
            "INSERT INTO idempotency_keys (merchant_id, key, request_hash, status, response, expires_at)
             SELECT gen_random_uuid(), 'k' || n, '', 201, '{}', clock_timestamp() + (n - 25) * interval '1 minute' - interval '1 second'
               FROM generate_series(1, 30) AS n",
        )
        .await;
    let ticks = pump(&mut Housekeeping::new(world.store().clone(), 10)).await;
    assert!(ticks >= 3, "{ticks}");
    assert_eq!(world.number("SELECT count(*) FROM idempotency_keys").await, 5);
    assert_eq!(world.number("SELECT count(*) FROM idempotency_keys WHERE expires_at < clock_timestamp()").await, 0);
}

#[tokio::test]
async fn lost_sessions_go_after_a_day_unless_they_hold_claims() {
    let world = World::new().await;
    let job = world.job().await;
    let holding = world.session().await;
    world.claim(holding, &[job]).await;
    let (old, recent, living) = (world.session().await, world.session().await, world.session().await);
    let lost = |session, ago: &str| {
        format!("UPDATE sessions SET lost_at = clock_timestamp() - interval '{ago}' WHERE id = '{session}'")
    };
    world.execute(&lost(holding, "2 days")).await;
    world.execute(&lost(old, "2 days")).await;
    world.execute(&lost(recent, "23 hours")).await;
    pump(&mut Housekeeping::new(world.store().clone(), 10)).await;
    let kept = |session| format!("SELECT count(*) FROM sessions WHERE id = '{session}'");
    assert_eq!(world.number(&kept(old)).await, 0);
    for session in [holding, recent, living] {
        assert_eq!(world.number(&kept(session)).await, 1);
    }
}

#[tokio::test]
async fn closed_alerts_go_after_a_week_open_ones_never() {
    let world = World::new().await;
    world
        .execute(
            "INSERT INTO alert_outbox (id, merchant_id, kind, dedupe_key, body, created_at, delivered_at, gave_up_at)
             SELECT gen_random_uuid(), gen_random_uuid(), 'job.dead', 'k', '{}', clock_timestamp() - interval '1 month',
                    clock_timestamp() - delivered::interval, clock_timestamp() - gave_up::interval
               FROM (VALUES ('8 days', NULL), (NULL, '8 days'), ('6 days', NULL), (NULL, '6 days'), (NULL, NULL))
                 AS v (delivered, gave_up)",
        )
        .await;
    pump(&mut Housekeeping::new(world.store().clone(), 10)).await;
    assert_eq!(world.number("SELECT count(*) FROM alert_outbox").await, 3);
}

#[tokio::test]
async fn backfills_go_a_month_after_their_end() {
    let world = World::new().await;
    world
        .execute(
            "INSERT INTO backfills (merchant_id, id, template_id, state, from_at, to_at, newest_first, max_active, reprocess,
                                    total, looked_at, created_at, ended_at)
             SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(),
                    CASE WHEN ago IS NULL THEN 'running' ELSE 'completed' END, now(), now(), false, 1, 'none', 0, now(),
                    now(), clock_timestamp() - ago::interval
               FROM (VALUES ('31 days'), ('29 days'), (NULL)) AS v (ago);
             INSERT INTO backfill_endings (merchant_id, backfill_id, state)
             SELECT merchant_id, id, 'succeeded' FROM backfills",
        )
        .await;
    pump(&mut Housekeeping::new(world.store().clone(), 10)).await;
    assert_eq!(world.number("SELECT count(*) FROM backfills").await, 2);
    assert_eq!(world.number("SELECT count(*) FROM backfill_endings").await, 2);
}
