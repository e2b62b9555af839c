//! What goes wrong on the way: nothing is left half done, and nobody else waits.

use crate::world::{World, time};
use scheduler_core::reconcile::{Progress, Reconcile};
use serde_json::json;
use test_support::{sql, templates};

/// Fails the last statement of the transaction.
const FAIL_ADVANCE: &str = "
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'crash'; END $$;
CREATE TRIGGER fail BEFORE UPDATE ON templates FOR EACH ROW EXECUTE FUNCTION fail()";

#[tokio::test]
async fn a_crash_between_the_statements_leaves_nothing_half() {
    let world = World::new().await;
    let id = world.template("t", json!({"kind": "interval", "every_seconds": 20})).await.id;
    sql::execute(world.store(), FAIL_ADVANCE).await;
    let mut manager = world.manager().await;
    manager.tick().await.unwrap_err();
    assert_eq!(world.ledger(id).await, vec![]);
    assert_eq!(world.live_times(id).await, Vec::<String>::new());

    sql::execute(world.store(), "DROP TRIGGER fail ON templates").await;
    manager.tick().await.unwrap();
    assert_eq!(world.live_times(id).await, ["10:00:20", "10:00:40", "10:01:00"]);
}

#[tokio::test]
async fn a_connection_that_dies_in_the_middle_leaves_nothing_half() {
    let world = World::new().await;
    let id = world.template("t", json!({"kind": "interval", "every_seconds": 20})).await.id;
    let dying = "
        CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$;
        CREATE TRIGGER die BEFORE UPDATE ON templates FOR EACH ROW EXECUTE FUNCTION die()";
    sql::execute(world.store(), dying).await;
    let mut manager = world.manager().await;
    let error = manager.tick().await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    sql::execute(world.store(), "DROP TRIGGER die ON templates").await;
    assert_eq!(world.ledger(id).await, vec![]);
    world.settle().await;
    assert_eq!(world.live_jobs(id).await.len(), 3);
}

#[tokio::test]
async fn a_template_that_cannot_be_read_blocks_nobody_and_loses_nothing() {
    let world = World::new().await;
    let broken = world.template("broken", json!({"kind": "cron", "expression": "* * * * *"})).await.id;
    let good = world.template("good", json!({"kind": "cron", "expression": "* * * * *"})).await.id;
    let whole = r#"{"queue":"default","priority":5,"target":{"kind":"noop"}}"#;
    templates::damage(world.store(), world.merchant, broken, r#"{"target":{"kind":"noop"},"invented_later":1}"#).await;
    assert_eq!(world.settle().await, 0, "it does not keep the loop busy");
    assert_eq!(world.live_times(good).await, ["10:01:00"]);
    assert_eq!(world.live_times(broken).await, Vec::<String>::new());
    let shown = world.shown(broken).await;
    assert!(shown.job.get().contains("invented_later"), "it can be looked at");
    assert!(shown.next_at > Some(time("2026-05-04T10:01:30Z")), "it is left alone for a while");

    // A newer version (here: the repaired row) goes on where the ledger ends.
    templates::damage(world.store(), world.merchant, broken, whole).await;
    world.advance(150);
    world.settle().await;
    let outcomes: Vec<_> = world.ledger(broken).await;
    let expected = [("10:01:00", "missed_window"), ("10:02:00", "dispatched"), ("10:03:00", "dispatched")];
    assert_eq!(outcomes, crate::world::pairs(&expected));
}

#[tokio::test]
async fn text_that_is_no_json_can_be_listed_and_deleted() {
    let world = World::new().await;
    let id = world.template("t", json!({"kind": "interval", "every_seconds": 20})).await.id;
    templates::damage(world.store(), world.merchant, id, "no json at all").await;
    assert_eq!(world.shown(id).await.job.get(), r#""no json at all""#);
    let delete = scheduler_core::store::templates::TemplateChange::Delete;
    templates::change(world.store(), world.merchant, id, world.clock.now(), delete).await;
}

#[tokio::test]
async fn a_template_that_the_database_refuses_is_singled_out() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for n in 0..9 {
        ids.push(world.template(&format!("t{n}"), json!({"kind": "interval", "every_seconds": 60})).await.id);
    }
    let refused = ids[4];
    let refuse = format!("ALTER TABLE jobs_live ADD CONSTRAINT refuse CHECK (template_id <> '{refused}')");
    sql::execute(world.store(), &refuse).await;
    let mut manager = world.manager().await;
    let mut ticks = 0;
    while manager.tick().await.unwrap() == Progress::More {
        ticks += 1;
        assert!(ticks < 20, "it goes round in circles");
    }
    for id in ids.iter().filter(|id| **id != refused) {
        assert_eq!(world.live_jobs(*id).await.len(), 1);
    }
    assert_eq!(world.ledger(refused).await, vec![]);
    sql::execute(world.store(), "ALTER TABLE jobs_live DROP CONSTRAINT refuse").await;
    world.advance(90);
    world.settle().await;
    assert_eq!(world.ledger(refused).await.len(), 2);
}
