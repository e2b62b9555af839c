//! Ahead of time, exactly once, with everything that the job spec says.

use crate::world::{START, World, clock_time, drain, pairs, time};
use serde_json::json;
use std::time::Duration;
use test_support::sql;

#[tokio::test]
async fn a_cron_template_becomes_jobs_up_to_the_look_ahead() {
    let mut world = World::new().await;
    world.settings.recurrence.lookahead = Duration::from_secs(180);
    let id = world.template("minutely", json!({"kind": "cron", "expression": "* * * * *"})).await.id;
    world.settle().await;
    assert_eq!(world.live_times(id).await, ["10:01:00", "10:02:00", "10:03:00"]);
    assert_eq!(world.shown(id).await.next_at, Some(time("2026-05-04T10:04:00Z")));

    world.advance(59);
    world.settle().await;
    assert_eq!(world.live_times(id).await.len(), 3, "the next one is a second too far away");
    world.advance(1);
    world.settle().await;
    let dispatched = ["10:01:00", "10:02:00", "10:03:00", "10:04:00"].map(|at| (at, "dispatched"));
    assert_eq!(world.ledger(id).await, pairs(&dispatched));
}

#[tokio::test]
async fn a_job_is_what_its_template_says() {
    let world = World::new().await;
    sql::execute(
        world.store(),
        &format!("INSERT INTO queues (merchant_id, name, lane) VALUES ('{}', 'reports', 'slow')", world.merchant),
    )
    .await;
    let body = json!({
        "name": "report", "overlap": "allow_all",
        "schedule": {"kind": "cron", "expression": "*/30 * * * * *"},
        "job": {"queue": "reports", "priority": 2, "target": {"kind": "noop"}, "payload": {"b": 1, "a": [1.5]},
                "max_attempts": 7, "start_deadline_seconds": 2.5, "metadata": {"team": "x"}, "external_id": "e-1"},
    });
    let id = world.template_of(body).await.id;
    let other = world.template("defaults", json!({"kind": "interval", "every_seconds": 60})).await.id;
    world.settle().await;

    let job = &world.live_jobs(id).await[0];
    assert_eq!((clock_time(job.run_at), job.scheduled_for), ("10:00:30".to_owned(), job.run_at));
    assert_eq!(job.start_deadline_at, Some(time("2026-05-04T10:00:32.5Z")));
    assert_eq!((job.queue.as_str(), job.lane.as_str(), job.priority, job.max_attempts), ("reports", "slow", 2, 7));
    assert_eq!((job.overlap_skip, job.created_at), (false, time(START)));
    assert_eq!(job.payload.as_deref(), Some(r#"{"a":[1.5],"b":1}"#));
    let job = &world.live_jobs(other).await[0];
    assert_eq!((job.lane.as_str(), job.priority, job.overlap_skip), ("default", 5, true));
}

#[tokio::test]
async fn four_managers_at_once_record_each_occurrence_once() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for n in 0..40 {
        ids.push(world.template(&format!("t{n}"), json!({"kind": "cron", "expression": "*/5 * * * * *"})).await.id);
    }
    for _ in 0..6 {
        world.advance(20);
        let mut managers = Vec::new();
        for _ in 0..4 {
            let mut manager = world.manager().await;
            managers.push(tokio::spawn(async move { drain(&mut manager).await }));
        }
        for manager in managers {
            manager.await.unwrap();
        }
    }
    // One more, alone: what a manager passed over because another one held it is never left behind.
    world.settle().await;
    // From 10:00:20 (the latest of the past at the first tick) to 10:03:00, every five seconds; three missed ones before.
    for id in ids {
        let ledger = world.ledger(id).await;
        assert_eq!(ledger.len(), 36, "{ledger:?}");
        assert_eq!(ledger.iter().filter(|(_, outcome)| outcome == "missed_window").count(), 3);
        assert_eq!(world.live_jobs(id).await.len(), 33);
    }
    let total = sql::number(world.store(), "SELECT count(DISTINCT (template_id, scheduled_for)) FROM jobs_live").await;
    assert_eq!(total, 40 * 33);
}

#[tokio::test]
async fn a_single_time_ends_its_template() {
    let world = World::new().await;
    let id = world.template("once", json!({"kind": "once", "at": "2026-05-04T10:00:30Z"})).await.id;
    world.settle().await;
    assert_eq!(world.live_times(id).await, ["10:00:30"]);
    assert_eq!(world.shown(id).await.next_at, None);
    world.advance(3600);
    world.settle().await;
    assert_eq!(world.ledger(id).await, pairs(&[("10:00:30", "dispatched")]));

    let past = world.template("past", json!({"kind": "once", "at": "2026-05-04T09:00:00Z"})).await;
    assert_eq!(past.next_at, None);
}

#[tokio::test]
async fn intervals_count_from_their_anchor() {
    let world = World::new().await;
    world.clock.set(time("2026-05-04T10:00:07.123456789Z"));
    let interval = |anchor: &str| json!({"kind": "interval", "every_seconds": 20, "anchor": anchor});
    let epoch = world.template("epoch", interval("epoch")).await.id;
    let start = world.template("start", interval("start")).await;
    let at = world.template("at", interval("2026-05-04T10:00:31Z")).await.id;
    world.settle().await;
    assert_eq!(world.live_times(epoch).await, ["10:00:20", "10:00:40", "10:01:00"]);
    assert_eq!(world.live_times(at).await, ["10:00:31", "10:00:51"]);

    let jobs = world.live_jobs(start.id).await;
    let since: Vec<_> = jobs.iter().map(|job| (job.scheduled_for - start.created_at).num_milliseconds()).collect();
    assert_eq!(since, [20_000, 40_000, 60_000]);
    // An edit does not move the anchor: it is the template's creation.
    world.advance(5);
    let body = test_support::templates::body("start", interval("start"));
    test_support::templates::replace(world.store(), world.merchant, start.id, world.clock.now(), body).await;
    world.settle().await;
    assert_eq!(world.live_jobs(start.id).await[0].scheduled_for, jobs[0].scheduled_for);
}
