//! Calendars change, and what is planned follows; what is over stays as it was.

use crate::world::{World, pairs, time};
use scheduler_core::store::calendars::{CalendarChanged, CalendarCreated, NewCalendar};
use scheduler_core::store::templates::TemplateChange;
use serde_json::{Value, json};
use test_support::sql;

const NAME: &str = "closed";

async fn create(world: &World, definition: Value) {
    let new = NewCalendar {
        merchant: world.merchant,
        name: NAME,
        definition: &definition,
        now: world.clock.now(),
        key: None,
    };
    let made = world.store().create_calendar(&new).await.unwrap();
    assert!(matches!(made, CalendarCreated::Created(_)), "{made:?}");
}

async fn change(world: &World, definition: Value) {
    let now = world.clock.now();
    let changed = world.store().replace_calendar(world.merchant, NAME, None, &definition, now).await.unwrap();
    assert!(matches!(changed, CalendarChanged::Done(_)), "{changed:?}");
    world.review().await;
}

fn cron(expression: &str, roll: &str) -> Value {
    json!({"kind": "cron", "expression": expression, "calendars": [{"name": NAME, "roll": roll}]})
}

fn window(from: &str, to: &str) -> Value {
    json!({"windows": [{"from": format!("2026-05-04T{from}Z"), "to": format!("2026-05-04T{to}Z")}]})
}

#[tokio::test]
async fn a_change_makes_no_times_of_the_past() {
    let world = World::new().await;
    create(&world, json!({"dates": ["2026-05-04"]})).await;
    // Today's run was yesterday.
    let id = world.template("t", cron("30 10 * * *", "preceding")).await.id;
    world.settle().await;
    assert_eq!(world.shown(id).await.next_at, Some(time("2026-05-05T10:30:00Z")));
    world.clock.set(time("2026-05-04T10:45:00Z"));
    change(&world, json!({})).await;
    world.settle().await;
    assert_eq!(world.ledger(id).await, vec![], "half past ten was no time of the schedule when it passed");
    assert_eq!(world.shown(id).await.next_at, Some(time("2026-05-05T10:30:00Z")));
    // What nobody has planned in time is owed all the same.
    world.clock.set(time("2026-05-05T10:45:00Z"));
    change(&world, json!({"dates": ["2026-05-20"]})).await;
    world.settle().await;
    assert_eq!(world.ledger(id).await, pairs(&[("10:30:00", "dispatched")]));
}

#[tokio::test]
async fn a_template_that_could_not_be_planned_owes_what_it_missed() {
    let world = World::new().await;
    create(&world, json!({"dates": ["2026-05-20"]})).await;
    let id = world.template("t", cron("* * * * *", "skip")).await.id;
    let whole = "SELECT definition::text FROM calendars";
    let definition = sql::text(world.store(), whole).await.unwrap();
    sql::execute(world.store(), "UPDATE calendars SET definition = '{\"later\": 1}', version = version + 1").await;
    world.settle().await;
    world.advance(150);
    world.settle().await;
    assert_eq!(world.ledger(id).await, vec![]);
    change(&world, serde_json::from_str(&definition).unwrap()).await;
    world.settle().await;
    let owed = [("10:01:00", "missed_window"), ("10:02:00", "dispatched"), ("10:03:00", "dispatched")];
    assert_eq!(world.ledger(id).await, pairs(&owed));
}

#[tokio::test]
async fn an_interval_from_completion_goes_back_to_what_it_counted_from() {
    let world = World::new().await;
    create(&world, window("10:00:20", "10:00:50")).await;
    let schedule =
        json!({"kind": "interval", "every_seconds": 30, "anchor": "completion", "calendars": [{"name": NAME}]});
    let id = world.template("t", schedule).await.id;
    world.settle().await;
    assert_eq!(world.ledger(id).await, pairs(&[("10:00:30", "skipped_calendar"), ("10:01:00", "dispatched")]));
    world.advance(5);
    change(&world, json!({})).await;
    world.settle().await;
    assert_eq!(world.ledger(id).await, pairs(&[("10:00:30", "dispatched")]), "the next one waits for its end");
}

#[tokio::test]
async fn an_interval_from_completion_makes_up_for_the_time_after_one_that_is_left_out() {
    let world = World::new().await;
    create(&world, window("10:00:20", "10:00:50")).await;
    let schedule =
        json!({"kind": "interval", "every_seconds": 30, "anchor": "completion", "calendars": [{"name": NAME}]});
    let id = world.template("t", schedule).await.id;
    world.clock.set(time("2026-05-04T10:20:00Z"));
    world.settle().await;
    assert_eq!(world.ledger(id).await, pairs(&[("10:00:30", "skipped_calendar"), ("10:01:00", "dispatched")]));
}

#[tokio::test]
async fn times_of_a_pause_are_nothing_else() {
    let world = World::new().await;
    create(&world, window("10:00:30", "10:00:50")).await;
    let schedule = json!({"kind": "interval", "every_seconds": 20, "calendars": [{"name": NAME}]});
    let id = world.template("t", schedule.clone()).await.id;
    world.settle().await;
    world.advance(30);
    world.change(id, TemplateChange::Pause).await;
    world.advance(60);
    let paused = ["10:00:40", "10:01:00", "10:01:20"].map(|at| (at, "missed_paused"));
    assert_eq!(world.history(id).await, [pairs(&[("10:00:20", "dispatched")]), pairs(&paused)].concat());
    // Nor has a deleted template any to come.
    let other = world.template("other", schedule).await.id;
    sql::execute(world.store(), "UPDATE calendars SET definition = '{\"weekdays\": [\"MON\"]}', version = version + 1")
        .await;
    world.settle().await;
    assert_eq!(world.ledger(other).await.len(), 3);
    world.change(other, TemplateChange::Delete).await;
    assert_eq!(world.ledger(other).await, vec![]);
}
