//! After downtime: one run, not a storm, and a record of everything.

use crate::world::{World, pairs, time};
use scheduler_core::store::templates::TemplateChange;
use serde_json::json;
use test_support::{sql, templates};

#[tokio::test]
async fn of_what_was_missed_only_the_latest_runs() {
    let world = World::new().await;
    let id = world.template("quarter", json!({"kind": "cron", "expression": "*/15 * * * *"})).await.id;
    world.clock.set(time("2026-05-04T11:05:00Z"));
    world.settle().await;
    let expected = [
        ("10:15:00", "missed_window"),
        ("10:30:00", "missed_window"),
        ("10:45:00", "missed_window"),
        ("11:00:00", "dispatched"),
    ];
    assert_eq!(world.ledger(id).await, pairs(&expected));
    let jobs = world.live_jobs(id).await;
    assert_eq!(jobs.len(), 1);
    assert_eq!(jobs[0].run_at, time("2026-05-04T11:00:00Z"), "it keeps its nominal time and is due at once");
}

#[tokio::test]
async fn what_is_more_than_an_hour_late_does_not_run() {
    let world = World::new().await;
    let id = world.template("daily", json!({"kind": "cron", "expression": "0 12 * * *"})).await.id;
    world.clock.set(time("2026-05-04T13:00:01Z"));
    world.settle().await;
    assert_eq!(world.ledger(id).await, pairs(&[("12:00:00", "missed_window")]));
    assert_eq!(world.live_times(id).await, Vec::<String>::new());
    assert_eq!(world.shown(id).await.next_at, Some(time("2026-05-05T12:00:00Z")));
}

#[tokio::test]
async fn a_long_outage_is_worked_off_in_bounded_steps() {
    let mut world = World::new().await;
    world.settings.recurrence.max_occurrences_per_tick = 100;
    let id = world.template("secondly", json!({"kind": "interval", "every_seconds": 1})).await.id;
    let calm = world.template("calm", json!({"kind": "cron", "expression": "10 10 * * *"})).await.id;
    world.advance(600);
    let mut manager = world.manager().await;
    use scheduler_core::reconcile::{Progress, Reconcile};
    assert_eq!(manager.tick().await.unwrap(), Progress::More);
    assert_eq!(world.ledger(id).await.len(), 100);
    assert_eq!(world.ledger(calm).await.len(), 1, "the others do not wait for it");
    let ticks = 1 + crate::world::drain(&mut manager).await;
    // 600 seconds of the past and 60 ahead.
    assert_eq!((world.ledger(id).await.len(), ticks), (660, 6));
    assert_eq!(world.live_jobs(id).await.len(), 61);
    let missed = sql::number(world.store(), "SELECT count(*) FROM occurrences WHERE outcome = 'missed_window'").await;
    assert_eq!(missed, 599);
}

#[tokio::test]
async fn an_edit_first_records_what_the_old_version_owes() {
    let world = World::new().await;
    let id = world.template("quarter", json!({"kind": "cron", "expression": "*/15 * * * *"})).await.id;
    // Nobody materialised anything until the edit comes.
    world.clock.set(time("2026-05-04T10:35:00Z"));
    let hourly = templates::body("quarter", json!({"kind": "cron", "expression": "0 * * * *"}));
    templates::replace(world.store(), world.merchant, id, world.clock.now(), hourly).await;
    let owed = [("10:15:00", "missed_window"), ("10:30:00", "dispatched")];
    assert_eq!(world.ledger(id).await, pairs(&owed));
    assert_eq!(world.shown(id).await.next_at, Some(time("2026-05-04T11:00:00Z")));
}

#[tokio::test]
async fn a_change_of_a_template_that_is_far_behind_comes_to_an_end() {
    use scheduler_core::store::templates::TemplateChanged;
    let world = World::new().await;
    let id = world.template("secondly", json!({"kind": "interval", "every_seconds": 1})).await.id;
    world.advance(60_000);
    let pause = || world.store().change_template(world.merchant, id, None, TemplateChange::Pause, world.clock.now());
    assert!(matches!(pause().await.unwrap(), TemplateChanged::Behind));
    let recorded = sql::number(world.store(), "SELECT count(*) FROM occurrences").await;
    assert_eq!(recorded, 50_000);
    assert!(matches!(pause().await.unwrap(), TemplateChanged::Done { .. }));
    assert_eq!(sql::number(world.store(), "SELECT count(*) FROM occurrences").await, 60_000);
    assert_eq!(world.live_jobs(id).await.len(), 1);
}
