//! Edits, pauses and deletions: what is not due yet follows the template, what runs stands, the ledger stays unique.

use crate::world::{World, pairs, time};
use scheduler_core::domain::{OverlapPolicy, TemplateId};
use scheduler_core::store::templates::{TemplateChange, TemplateChanged, Trigger, Triggered};
use serde_json::{Value, json};
use test_support::{sql, templates};

/// Three jobs ahead (10:00:20, 10:00:40, 10:01:00), then ten seconds later.
async fn three_ahead(world: &World) -> TemplateId {
    let id = world.template("t", every(20)).await.id;
    world.settle().await;
    assert_eq!(world.live_times(id).await, ["10:00:20", "10:00:40", "10:01:00"]);
    world.advance(10);
    id
}

fn every(seconds: u64) -> Value {
    json!({"kind": "interval", "every_seconds": seconds})
}

async fn replace(world: &World, id: TemplateId, schedule: Value) -> u64 {
    templates::replace(world.store(), world.merchant, id, world.clock.now(), templates::body("t", schedule)).await
}

async fn change(world: &World, id: TemplateId, change: TemplateChange<'_>) -> u64 {
    templates::change(world.store(), world.merchant, id, world.clock.now(), change).await
}

async fn cancelled(world: &World, id: TemplateId) -> usize {
    let finished = templates::finished_jobs(world.store(), world.merchant, id).await;
    assert!(
        finished
            .iter()
            .all(|(_, state, reason)| { state == "cancelled" && reason.as_deref() == Some("template_changed") })
    );
    finished.len()
}

async fn claim(world: &World, job: uuid::Uuid) {
    let claim = format!(
        "INSERT INTO claims (merchant_id, job_id, token, session_id, granted_at)
         VALUES ('{}', '{job}', gen_random_uuid(), gen_random_uuid(), clock_timestamp())",
        world.merchant
    );
    sql::execute(world.store(), &claim).await;
}

#[tokio::test]
async fn an_edit_replaces_the_jobs_that_are_not_due() {
    let world = World::new().await;
    let id = three_ahead(&world).await;
    assert_eq!(replace(&world, id, every(30)).await, 3);
    assert_eq!(cancelled(&world, id).await, 3);
    let anew = [("10:00:30", "dispatched"), ("10:01:00", "dispatched")];
    assert_eq!(world.ledger(id).await, pairs(&anew), "planned with the edit, as far as it was before");
    world.settle().await;
    assert_eq!(world.ledger(id).await, pairs(&anew));
    assert_eq!(world.live_times(id).await, ["10:00:30", "10:01:00"]);
    assert_eq!(world.shown(id).await.version, 2);
    assert_eq!(sql::number(world.store(), "SELECT count(*) FROM template_versions").await, 2);
    assert_eq!(sql::number(world.store(), "SELECT count(*) FROM claims").await, 0);
}

#[tokio::test]
async fn a_job_that_is_due_or_running_stands_with_its_occurrence() {
    let world = World::new().await;
    let id = three_ahead(&world).await;
    let jobs = world.live_jobs(id).await;
    // The first is due (and not claimed yet), the second is running: it was claimed a moment ahead.
    world.clock.set(time("2026-05-04T10:00:20Z"));
    claim(&world, jobs[1].id).await;
    assert_eq!(replace(&world, id, every(10)).await, 1);
    world.settle().await;
    let live: Vec<_> = world.live_jobs(id).await;
    assert_eq!((live[0].id, live[2].id), (jobs[0].id, jobs[1].id));
    let times: Vec<_> = world.live_times(id).await;
    let expected = ["10:00:20", "10:00:30", "10:00:40", "10:00:50", "10:01:00", "10:01:10", "10:01:20"];
    assert_eq!(times, expected, "each nominal time once, also the one that both versions name");
    assert_eq!(sql::number(world.store(), "SELECT count(*) FROM claims").await, 1, "the keys were given back");
}

#[tokio::test]
async fn a_retrying_or_redriven_job_is_left_alone() {
    let world = World::new().await;
    let id = three_ahead(&world).await;
    let jobs = world.live_jobs(id).await;
    let (tried, redriven) = (jobs[1].id, jobs[2].id);
    sql::execute(
        world.store(),
        &format!(
            "UPDATE jobs_live SET state = 'retrying', attempt = 1 WHERE id = '{tried}';
                  UPDATE jobs_live SET redriven_from = gen_random_uuid() WHERE id = '{redriven}'"
        ),
    )
    .await;
    assert_eq!(change(&world, id, TemplateChange::Pause).await, 1);
    let left: Vec<_> = world.live_jobs(id).await.iter().map(|job| job.id).collect();
    assert_eq!(left, [tried, redriven]);
}

#[tokio::test]
async fn a_resume_makes_up_for_nothing() {
    let world = World::new().await;
    let id = three_ahead(&world).await;
    assert_eq!(change(&world, id, TemplateChange::Pause).await, 3);
    let paused = world.shown(id).await;
    assert_eq!((paused.active, paused.next_at, paused.version), (false, None, 2));
    assert_eq!(change(&world, id, TemplateChange::Pause).await, 0);
    assert_eq!(world.shown(id).await.version, 2, "pausing twice is pausing once");

    world.clock.set(time("2026-05-04T10:30:05Z"));
    world.settle().await;
    assert_eq!(world.ledger(id).await, vec![]);
    change(&world, id, TemplateChange::Resume).await;
    world.settle().await;
    let ledger = world.ledger(id).await;
    assert_eq!(ledger, pairs(&["10:30:20", "10:30:40", "10:31:00"].map(|at| (at, "dispatched"))));
    assert_eq!(world.shown(id).await.version, 3);
}

#[tokio::test]
async fn a_deleted_template_leaves_no_future_and_frees_its_name() {
    let world = World::new().await;
    let id = three_ahead(&world).await;
    assert_eq!(change(&world, id, TemplateChange::Delete).await, 3);
    assert_eq!(cancelled(&world, id).await, 3);
    assert!(world.store().get_template(world.merchant, id).await.unwrap().is_none());
    let gone = world.store().change_template(world.merchant, id, None, TemplateChange::Delete, world.clock.now());
    assert!(matches!(gone.await.unwrap(), TemplateChanged::NotFound));
    world.advance(120);
    world.settle().await;
    assert_eq!(world.live_times(id).await, Vec::<String>::new());
    world.template("t", every(20)).await;
}

#[tokio::test]
async fn a_trigger_makes_a_job_beside_the_schedule() {
    let world = World::new().await;
    let id = three_ahead(&world).await;
    change(&world, id, TemplateChange::Pause).await;
    let trigger = Trigger {
        merchant: world.merchant,
        template: id,
        overlap: OverlapPolicy::AllowAll,
        now: world.clock.now(),
        traceparent: None,
        key: None,
    };
    let Triggered::Created { job, lane } = world.store().trigger_template(&trigger).await.unwrap() else {
        panic!("not triggered");
    };
    let live = world.live_jobs(id).await;
    assert_eq!(live.len(), 1);
    assert_eq!((live[0].id, live[0].run_at, live[0].overlap_skip), (job.id.0, world.clock.now(), false));
    assert_eq!((job.template_id, lane.as_str()), (Some(id), "default"));
    assert_eq!(world.ledger(id).await, vec![]);
    // It is due, so a change of the template leaves it alone.
    assert_eq!(change(&world, id, TemplateChange::Delete).await, 0);
    assert_eq!(world.live_jobs(id).await.len(), 1);
    assert!(matches!(world.store().trigger_template(&trigger).await.unwrap(), Triggered::NotFound));
}

#[tokio::test]
async fn changes_are_guarded_by_version_and_name() {
    let world = World::new().await;
    let id = three_ahead(&world).await;
    world.template("taken", every(60)).await;
    let (spec, schedule) = templates::parsed(templates::body("taken", every(60)));
    let replace = TemplateChange::Replace { spec: &spec, schedule: &schedule };
    let now = world.clock.now();
    let stale = world.store().change_template(world.merchant, id, Some(&[7]), replace, now).await.unwrap();
    assert!(matches!(stale, TemplateChanged::VersionMismatch { current: 1 }));
    let clash = world.store().change_template(world.merchant, id, Some(&[1]), replace, now).await.unwrap();
    assert!(matches!(clash, TemplateChanged::NameTaken));
    assert_eq!((world.shown(id).await.version, world.live_jobs(id).await.len()), (1, 3), "nothing of it was written");
}

#[tokio::test]
async fn edits_while_managers_work_keep_one_record_per_time() {
    let world = World::new().await;
    let id = world.template("t", every(1)).await.id;
    let mut managers = Vec::new();
    for _ in 0..3 {
        let mut manager = world.manager().await;
        managers.push(tokio::spawn(async move {
            for _ in 0..60 {
                crate::world::drain(&mut manager).await;
                tokio::task::yield_now().await;
            }
        }));
    }
    for n in 0..30 {
        world.advance(1);
        replace(&world, id, every(1 + n % 2)).await;
    }
    for manager in managers {
        manager.await.unwrap();
    }
    world.settle().await;
    // Every dispatched record has its live job and the other way round, and no second of the past lacks its record.
    let orphans = "SELECT count(*) FROM occurrences o FULL JOIN jobs_live j ON j.id = o.job_id
                    WHERE (o.job_id IS NULL AND o.outcome IS DISTINCT FROM 'missed_window') OR (o.outcome = 'dispatched' AND j.id IS NULL)";
    assert_eq!(sql::number(world.store(), orphans).await, 0);
    let doubles = "SELECT count(*) - count(DISTINCT scheduled_for) FROM jobs_live";
    assert_eq!(sql::number(world.store(), doubles).await, 0);
    let last = world.ledger(id).await.last().cloned().unwrap();
    assert_eq!(last.0, "10:01:30");
}
