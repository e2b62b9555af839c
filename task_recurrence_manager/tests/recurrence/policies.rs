//! What a template's policies do to its plan.

use crate::world::{World, pairs, time};
use scheduler_core::domain::TemplateId;
use scheduler_core::store::templates::TemplateChange;
use serde_json::{Value, json};
use test_support::{sql, templates};

/// A template every minute with these policies.
async fn minutely(world: &World, name: &str, policies: Value) -> TemplateId {
    world.template_of(body(name, policies)).await.id
}

fn body(name: &str, policies: Value) -> Value {
    let mut body = templates::body(name, json!({"kind": "cron", "expression": "* * * * *"}));
    body.as_object_mut().unwrap().extend(policies.as_object().unwrap().clone());
    body
}

async fn outcomes(world: &World, id: TemplateId) -> Vec<String> {
    world.ledger(id).await.into_iter().map(|(_, outcome)| outcome).collect()
}

#[tokio::test]
async fn catch_up_runs_all_of_a_window_after_everything_else() {
    let world = World::new().await;
    let all = json!({"catchup_policy": "all", "catchup_window_seconds": 240, "catchup_max_runs": 3});
    let all = minutely(&world, "all", all).await;
    let none = minutely(&world, "none", json!({"catchup_policy": "none"})).await;
    world.clock.set(time("2026-05-04T10:06:30Z"));
    world.settle().await;
    let dispatched = ["10:04:00", "10:05:00", "10:06:00", "10:07:00"];
    assert_eq!(world.live_times(all).await, dispatched);
    let jobs = world.live_jobs(all).await;
    assert_eq!(jobs.iter().map(|job| job.priority).collect::<Vec<_>>(), [9, 9, 9, 5]);
    assert_eq!(outcomes(&world, all).await[..4], ["missed_window", "missed_window", "missed_window", "dispatched"]);
    assert_eq!(world.live_times(none).await, ["10:07:00"]);
    assert_eq!(outcomes(&world, none).await.len(), 7, "every time has its record");
    let reasons = "SELECT count(*) FROM occurrences WHERE reason = 'catch_up' AND outcome = 'dispatched'";
    assert_eq!(sql::number(world.store(), reasons).await, 3);
}

#[tokio::test]
async fn jitter_moves_the_start_and_not_the_name() {
    let world = World::new().await;
    let id = world
        .template_of(json!({
            "name": "j", "jitter_seconds": 3600, "schedule": {"kind": "cron", "expression": "*/10 * * * * *"},
            "job": {"target": {"kind": "noop"}, "start_deadline_seconds": 5},
        }))
        .await
        .id;
    world.settle().await;
    let jobs = world.live_jobs(id).await;
    assert_eq!(jobs.len(), 6);
    for job in &jobs {
        let put_off = job.run_at - job.scheduled_for;
        assert!(put_off.num_milliseconds() >= 0 && put_off.num_milliseconds() < 10_000, "{put_off}");
        assert_eq!((job.start_deadline_at.unwrap() - job.run_at).num_seconds(), 5);
    }
    assert!(jobs.iter().any(|job| job.run_at != job.scheduled_for));
    // An edit puts each off by the same share.
    let before: Vec<_> = jobs.iter().map(|job| (job.scheduled_for, job.run_at)).collect();
    let same = json!({"name": "j", "jitter_seconds": 3600, "job": {"target": {"kind": "noop"}, "priority": 1},
                      "schedule": {"kind": "cron", "expression": "*/10 * * * * *"}});
    templates::replace(world.store(), world.merchant, id, world.clock.now(), same).await;
    let after: Vec<_> = world.live_jobs(id).await.iter().map(|job| (job.scheduled_for, job.run_at)).collect();
    assert_eq!(before, after);
}

#[tokio::test]
async fn bounds_and_runs_end_a_schedule() {
    let world = World::new().await;
    let bounds = json!({"start_at": "2026-05-04T10:02:00Z", "end_at": "2026-05-04T10:04:00Z"});
    let bounded = minutely(&world, "bounded", bounds).await;
    let twice = minutely(&world, "twice", json!({"max_runs": 2})).await;
    assert_eq!(world.shown(bounded).await.next_at, Some(time("2026-05-04T10:02:00Z")));
    for _ in 0..10 {
        world.settle().await;
        world.advance(50);
    }
    assert_eq!(world.ledger(bounded).await.len(), 3);
    assert_eq!(world.ledger(twice).await, pairs(&[("10:01:00", "dispatched"), ("10:02:00", "dispatched")]));
    for id in [bounded, twice] {
        assert_eq!(world.shown(id).await.next_at, None);
    }
    assert_eq!(world.shown(twice).await.runs, 2);
}

#[tokio::test]
async fn an_edit_keeps_the_count_of_runs() {
    let mut world = World::new().await;
    world.settings.recurrence.lookahead = std::time::Duration::from_secs(180);
    let id = minutely(&world, "t", json!({"max_runs": 4})).await;
    world.settle().await;
    assert_eq!(world.shown(id).await.runs, 3);
    world.advance(70);
    // One was due, two are planned anew.
    templates::replace(world.store(), world.merchant, id, world.clock.now(), body("t", json!({"max_runs": 4}))).await;
    assert_eq!(world.shown(id).await.runs, 3);
    world.advance(600);
    world.settle().await;
    assert_eq!(world.shown(id).await.runs, 4);
    let ran = world.ledger(id).await.iter().filter(|(_, outcome)| outcome == "dispatched").count();
    assert_eq!(ran, 4);
}

#[tokio::test]
async fn the_times_of_a_pause_are_in_the_ledger_without_rows() {
    let world = World::new().await;
    let id = world.template("t", json!({"kind": "interval", "every_seconds": 20})).await.id;
    world.settle().await;
    world.advance(30);
    world.change(id, TemplateChange::Pause).await;
    world.clock.set(time("2026-05-04T10:01:30Z"));
    let paused = ["10:00:40", "10:01:00", "10:01:20"].map(|at| (at, "missed_paused"));
    assert_eq!(world.history(id).await, [pairs(&[("10:00:20", "dispatched")]), pairs(&paused)].concat());
    // An edit in between, still paused: the times follow the version.
    let mut slower = templates::body("t", json!({"kind": "interval", "every_seconds": 60}));
    slower["active"] = json!(false);
    templates::replace(world.store(), world.merchant, id, world.clock.now(), slower).await;
    world.clock.set(time("2026-05-04T10:03:30Z"));
    world.change(id, TemplateChange::Resume).await;
    world.advance(60);
    world.settle().await;
    let later = [("10:02:00", "missed_paused"), ("10:03:00", "missed_paused"), ("10:04:00", "dispatched")];
    let last = pairs(&[("10:05:00", "dispatched")]);
    let all = [pairs(&[("10:00:20", "dispatched")]), pairs(&paused), pairs(&later), last].concat();
    assert_eq!(world.history(id).await, all);
    assert_eq!(sql::number(world.store(), "SELECT count(*) FROM occurrences").await, 3, "no row for each");
}

#[tokio::test]
async fn a_template_that_has_had_its_runs_has_no_times_to_miss() {
    let world = World::new().await;
    let id = minutely(&world, "t", json!({"max_runs": 1})).await;
    world.settle().await;
    world.advance(90);
    world.change(id, TemplateChange::Pause).await;
    world.advance(600);
    assert_eq!(world.history(id).await, pairs(&[("10:01:00", "dispatched")]));
    let (spec, schedule) = templates::parsed(json!({"name": "t", "active": false, "max_runs": 2,
        "schedule": {"kind": "cron", "expression": "* * * * *"}, "job": {"target": {"kind": "noop"}}}));
    world.change(id, TemplateChange::Replace { spec: &spec, schedule: &schedule }).await;
    world.advance(60);
    assert_eq!(world.history(id).await, pairs(&[("10:01:00", "dispatched"), ("10:12:00", "missed_paused")]));
}

#[tokio::test]
async fn a_long_pause_of_a_dense_schedule_costs_a_page() {
    use scheduler_core::store::templates::LedgerQuery;
    let world = World::new().await;
    let id = world.template("t", json!({"kind": "interval", "every_seconds": 1})).await.id;
    world.change(id, TemplateChange::Pause).await;
    world.clock.set(time("2027-05-04T10:00:00Z"));
    let query = LedgerQuery { limit: 50, now: world.clock.now(), ..LedgerQuery::default() };
    let page = world.store().list_occurrences(world.merchant, id, &query).await.unwrap().unwrap();
    assert_eq!((page.len(), page[0].nominal_at), (50, time("2027-05-04T10:00:00Z")));
    let before = LedgerQuery { before: Some(page[49].nominal_at), ..query };
    let next = world.store().list_occurrences(world.merchant, id, &before).await.unwrap().unwrap();
    assert_eq!(next[0].nominal_at, time("2027-05-04T09:59:10Z"));
    let at = time("2026-12-24T00:00:00Z");
    let one = world.store().occurrence_at(world.merchant, id, at, world.clock.now()).await.unwrap().unwrap();
    assert_eq!((one.nominal_at, one.outcome.as_str()), (at, "missed_paused"));
}

#[tokio::test]
async fn a_pause_takes_back_what_jitter_has_put_off() {
    let world = World::new().await;
    let id = minutely(&world, "t", json!({"jitter_seconds": 60})).await;
    world.settle().await;
    let job = world.live_jobs(id).await.remove(0);
    assert!(job.run_at > job.scheduled_for);
    world.clock.set(job.scheduled_for);
    assert_eq!(world.change(id, TemplateChange::Pause).await, 1);
    assert_eq!(world.ledger(id).await, pairs(&[("10:01:00", "missed_paused")]));
}

#[tokio::test]
async fn a_template_whose_jobs_keep_failing_pauses_itself() {
    let world = World::new().await;
    let id = minutely(&world, "t", json!({"pause_after_failures": 2})).await;
    let calm = minutely(&world, "calm", json!({})).await;
    for (state, active) in [("dead", true), ("succeeded", true), ("dead", true), ("dead", false)] {
        world.settle().await;
        world.advance(60);
        world.finish_due(id, state).await;
        world.finish_due(calm, "dead").await;
        world.review().await;
        assert_eq!(world.shown(id).await.active, active, "after {state}");
    }
    let shown = world.shown(id).await;
    assert_eq!(shown.pause_reason.as_deref(), Some("its last 2 jobs became dead letters"));
    assert!(world.shown(calm).await.active);
    let alerts = format!("SELECT count(*) FROM alert_outbox WHERE dedupe_key = 'template.paused:{id}'");
    assert_eq!(sql::number(world.store(), &alerts).await, 1);
    assert_eq!(world.live_jobs(id).await.len(), 0, "nothing more starts");
    // Resumed, it has as many chances as before.
    world.change(id, TemplateChange::Resume).await;
    assert_eq!(world.shown(id).await.pause_reason, None);
    world.settle().await;
    world.advance(60);
    world.finish_due(id, "dead").await;
    world.review().await;
    assert!(world.shown(id).await.active);
}

#[tokio::test]
async fn a_template_is_deleted_when_its_last_job_has_ended() {
    let world = World::new().await;
    let ends = json!({"max_runs": 2, "action_after_completion": "delete"});
    let id = minutely(&world, "ends", ends).await;
    let late = minutely(&world, "late", json!({"max_runs": 1})).await;
    world.settle().await;
    world.advance(60);
    world.finish_due(id, "succeeded").await;
    world.settle().await;
    world.review().await;
    assert!(world.shown(id).await.active, "the second is still to run");
    world.advance(60);
    world.finish_due(id, "dead").await;
    world.review().await;
    assert!(world.store().get_template(world.merchant, id).await.unwrap().is_none());
    // Asked for when the job is there already, and when all of it is over.
    let ends = body("late", json!({"max_runs": 1, "action_after_completion": "delete"}));
    templates::replace(world.store(), world.merchant, late, world.clock.now(), ends).await;
    world.review().await;
    assert!(world.shown(late).await.active, "its job is live");
    world.finish_due(late, "succeeded").await;
    world.review().await;
    assert!(world.store().get_template(world.merchant, late).await.unwrap().is_none());
}

#[tokio::test]
async fn an_interval_from_completion_waits_for_each_end() {
    let world = World::new().await;
    let schedule = json!({"kind": "interval", "every_seconds": 30, "anchor": "completion"});
    let id = world.template("c", schedule).await.id;
    assert_eq!(world.shown(id).await.next_at, Some(time("2026-05-04T10:00:30Z")));
    world.settle().await;
    assert_eq!(world.live_times(id).await, ["10:00:30"]);
    assert_eq!(world.shown(id).await.next_at, None, "the next one depends on an end");
    // It runs long.
    world.clock.set(time("2026-05-04T10:01:10Z"));
    world.settle().await;
    assert_eq!(world.ledger(id).await.len(), 1);
    world.finish_due(id, "dead").await;
    world.review().await;
    world.settle().await;
    assert_eq!(world.live_times(id).await, ["10:01:40"]);
    // Downtime: what is missed is no end, but the schedule goes on.
    world.finish_due(id, "succeeded").await;
    world.clock.set(time("2026-05-04T10:01:45Z"));
    world.finish_due(id, "succeeded").await;
    world.clock.set(time("2026-05-04T15:00:00Z"));
    world.review().await;
    world.settle().await;
    let ledger = world.ledger(id).await;
    let (missed, made_up): (Vec<_>, Vec<_>) = ledger.iter().partition(|(_, outcome)| outcome == "missed_window");
    assert!(missed.len() > 400, "{}", missed.len());
    assert_eq!((made_up.len(), world.live_times(id).await.len()), (3, 1), "{made_up:?}");
    // Resumed, it begins anew.
    world.change(id, TemplateChange::Pause).await;
    world.change(id, TemplateChange::Resume).await;
    assert_eq!(world.shown(id).await.next_at, Some(time("2026-05-04T15:00:30Z")));
}

#[tokio::test]
async fn freeze_windows_change_what_is_planned() {
    use scheduler_core::domain::{Freeze, FreezeAction};
    use scheduler_core::store::freezes::FreezeCreated;
    let world = World::new().await;
    let id = world.template("t", json!({"kind": "interval", "every_seconds": 20})).await.id;
    world.settle().await;
    let freeze = |name: &str, from, to, action| Freeze {
        name: name.to_owned(),
        starts_at: time(from),
        ends_at: time(to),
        action,
    };
    let skip = freeze("release", "2026-05-04T10:00:30Z", "2026-05-04T10:01:00Z", FreezeAction::Skip);
    let create = |freeze: Freeze| {
        let world = &world;
        async move { world.store().create_freeze(world.merchant, &freeze, world.clock.now()).await.unwrap() }
    };
    assert_eq!(create(skip.clone()).await, FreezeCreated::Created);
    assert_eq!(create(skip).await, FreezeCreated::NameTaken);
    world.review().await;
    let frozen = [("10:00:20", "dispatched"), ("10:00:40", "skipped_calendar"), ("10:01:00", "dispatched")];
    assert_eq!(world.ledger(id).await, pairs(&frozen));
    assert_eq!(world.live_times(id).await, ["10:00:20", "10:01:00"]);
    assert!(world.store().delete_freeze(world.merchant, "release").await.unwrap());
    assert!(!world.store().delete_freeze(world.merchant, "release").await.unwrap());
    create(freeze("night", "2026-05-04T10:00:50Z", "2026-05-04T10:30:00Z", FreezeAction::Hold)).await;
    world.review().await;
    let starts: Vec<_> = world.live_jobs(id).await.iter().map(|job| crate::world::clock_time(job.run_at)).collect();
    assert_eq!(starts, ["10:00:20", "10:00:40", "10:30:00"], "what was skipped is not any more, the last one waits");
    assert_eq!(world.shown(id).await.version, 1);
}
