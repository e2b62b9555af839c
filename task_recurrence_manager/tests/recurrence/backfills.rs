//! Backfills: each time once, a few at a time, whoever drives them and whatever comes in between.

use crate::world::{World, clock_time, pairs, time};
use chrono::{DateTime, Utc};
use scheduler_core::domain::{
    Backfill, BackfillForecast, BackfillId, BackfillOrder, BackfillState, Freeze, FreezeAction, Reprocess, TemplateId,
};
use scheduler_core::reconcile::{Progress, Reconcile};
use scheduler_core::store::backfills::{BackfillChange, BackfillChanged, BackfillStarted, NewBackfill};
use scheduler_core::store::templates::{
    ChangeOccurrence, OccurrenceChange, OccurrenceChanged, TemplateChange, WhichOccurrence,
};
use serde_json::{Value, json};
use test_support::{sql, templates};

fn today(at: &str) -> DateTime<Utc> {
    time(&format!("2026-05-04T{at}Z"))
}

fn minutely() -> Value {
    json!({"kind": "cron", "expression": "* * * * *"})
}

/// What a test says about a backfill.
#[derive(Clone, Copy)]
struct Ask<'a> {
    from: &'a str,
    to: &'a str,
    order: BackfillOrder,
    max_active: i32,
    reprocess: Reprocess,
}

const TEN: Ask<'_> = Ask {
    from: "09:00:00",
    to: "09:09:00",
    order: BackfillOrder::OldestFirst,
    max_active: 1,
    reprocess: Reprocess::None,
};

async fn try_start(world: &World, template: TemplateId, ask: Ask<'_>, dry_run: bool) -> BackfillStarted {
    let new = NewBackfill {
        merchant: world.merchant,
        template,
        from: today(ask.from),
        to: today(ask.to),
        order: ask.order,
        max_active: ask.max_active,
        reprocess: ask.reprocess,
        now: world.clock.now(),
        dry_run,
        key: None,
    };
    world.store().start_backfill(&new).await.unwrap()
}

async fn start(world: &World, template: TemplateId, ask: Ask<'_>) -> BackfillId {
    match try_start(world, template, ask, false).await {
        BackfillStarted::Started(backfill) => backfill.id,
        other => panic!("{other:?}"),
    }
}

async fn foresee(world: &World, template: TemplateId, ask: Ask<'_>) -> BackfillForecast {
    match try_start(world, template, ask, true).await {
        BackfillStarted::Foreseen(forecast) => forecast,
        other => panic!("{other:?}"),
    }
}

async fn shown(world: &World, id: BackfillId) -> Backfill {
    world.store().backfill(world.merchant, id).await.unwrap().unwrap()
}

async fn change(world: &World, id: BackfillId, change: BackfillChange) -> BackfillChanged {
    world.store().change_backfill(world.merchant, id, change, world.clock.now()).await.unwrap()
}

/// Times of day of the live jobs of backfills.
async fn live(world: &World, template: TemplateId) -> Vec<String> {
    let jobs = world.live_jobs(template).await;
    jobs.iter().filter(|job| job.backfill_id.is_some()).map(|job| clock_time(job.scheduled_for)).collect()
}

/// Claims a job as an executor would, without asking whether it is due.
async fn claim(world: &World, job: uuid::Uuid) {
    let claim = format!(
        "INSERT INTO claims (merchant_id, job_id, token, session_id, granted_at)
         VALUES ('{}', '{job}', gen_random_uuid(), gen_random_uuid(), clock_timestamp())",
        world.merchant
    );
    sql::execute(world.store(), &claim).await;
}

#[tokio::test]
async fn a_stretch_of_the_past_is_run_in_order_and_a_few_at_a_time() {
    let world = World::new().await;
    let mut body = templates::body("t", minutely());
    body["job"]["payload"] = json!({"for": "{{scheduled_for}}", "since": "{{previous_scheduled_for}}"});
    body["job"]["priority"] = json!(1);
    body["job"]["start_deadline_seconds"] = json!(600);
    let id = world.template_of(body).await.id;
    world.settle().await;
    let ask = Ask { max_active: 2, ..TEN };
    let forecast = foresee(&world, id, ask).await;
    let (first, last) = (Some(today("09:00:00")), Some(today("09:09:00")));
    assert_eq!(forecast, BackfillForecast { nominal: 10, total: 10, first, last });
    let backfill = start(&world, id, ask).await;
    world.backfill().await;
    assert_eq!(live(&world, id).await, ["09:00:00", "09:01:00"]);
    let job = world.live_jobs(id).await.remove(0);
    assert_eq!((job.priority, job.overlap_skip, job.run_at), (9, false, world.clock.now()));
    assert_eq!(job.start_deadline_at, Some(today("10:10:00")));
    let payload: Value = serde_json::from_str(&job.payload.unwrap()).unwrap();
    assert_eq!(payload, json!({"for": "2026-05-04T09:00:00Z", "since": "2026-05-04T08:59:00Z"}));
    world.backfill().await;
    assert_eq!(live(&world, id).await.len(), 2, "not before one of them has ended");

    world.finish_due(id, "succeeded").await;
    world.backfill().await;
    assert_eq!(live(&world, id).await, ["09:02:00", "09:03:00"]);
    let progress = shown(&world, backfill).await.progress;
    assert_eq!((progress.created, progress.running, progress.succeeded, progress.remaining), (4, 2, 2, 6));
    world.finish_due(id, "dead").await;
    assert_eq!(shown(&world, backfill).await.progress.failed, 2, "before anybody has counted them");
    for _ in 0..3 {
        world.backfill().await;
        world.finish_due(id, "succeeded").await;
    }
    assert_eq!(shown(&world, backfill).await.state, BackfillState::Running);
    world.backfill().await;
    let done = shown(&world, backfill).await;
    assert_eq!((done.state, done.ended_at), (BackfillState::Completed, Some(world.clock.now())));
    let progress = done.progress;
    assert_eq!((progress.total, progress.created, progress.succeeded, progress.failed), (10, 10, 8, 2));
    assert_eq!((progress.running, progress.other, progress.remaining), (0, 0, 0));
    let ledger = world.ledger(id).await;
    let backfilled = (0..10).map(|n| (format!("09:0{n}:00"), "backfilled".to_owned()));
    assert_eq!(ledger, backfilled.chain([("10:01:00".to_owned(), "dispatched".to_owned())]).collect::<Vec<_>>());
    assert_eq!(sql::number(world.store(), "SELECT count(*) FROM backfill_endings").await, 0);
}

#[tokio::test]
async fn the_newest_may_come_first() {
    let world = World::new().await;
    let id = world.template("t", minutely()).await.id;
    let ask = Ask { order: BackfillOrder::NewestFirst, max_active: 3, ..TEN };
    let backfill = start(&world, id, ask).await;
    let mut seen = Vec::new();
    while shown(&world, backfill).await.state == BackfillState::Running {
        world.backfill().await;
        seen.push(live(&world, id).await);
        world.finish_due(id, "succeeded").await;
    }
    let expected: [&[&str]; 5] = [
        &["09:07:00", "09:08:00", "09:09:00"],
        &["09:04:00", "09:05:00", "09:06:00"],
        &["09:01:00", "09:02:00", "09:03:00"],
        &["09:00:00"],
        &[],
    ];
    assert_eq!(seen, expected);
}

/// A minute each of: succeeded, dead, expired, missed, skipped by somebody, paused.
async fn every_kind(world: &World) -> TemplateId {
    let mut body = templates::body("t", minutely());
    body["catchup_policy"] = json!("none");
    let id = world.template_of(body).await.id;
    for state in ["succeeded", "dead", "expired"] {
        world.settle().await;
        world.advance(60);
        world.settle().await;
        world.finish_due(id, state).await;
    }
    let wanted = ChangeOccurrence {
        merchant: world.merchant,
        template: id,
        which: WhichOccurrence::At(today("10:05:00")),
        change: OccurrenceChange::Skip,
        now: world.clock.now(),
        dry_run: false,
        key: None,
    };
    assert!(matches!(world.store().change_occurrence(&wanted).await.unwrap(), OccurrenceChanged::Done(_)));
    sql::execute(world.store(), "DELETE FROM occurrences WHERE nominal_at = '2026-05-04T10:04:00Z'").await;
    sql::execute(world.store(), "DELETE FROM jobs_live").await;
    sql::execute(
        world.store(),
        "UPDATE templates SET cursor_at = '2026-05-04T10:03:00Z', next_at = '2026-05-04T10:04:00Z'",
    )
    .await;
    world.clock.set(today("10:05:30"));
    world.change(id, TemplateChange::Pause).await;
    world.clock.set(today("10:07:30"));
    let expected = [
        ("10:01:00", "dispatched"),
        ("10:02:00", "dispatched"),
        ("10:03:00", "dispatched"),
        ("10:04:00", "missed_window"),
        ("10:05:00", "skipped_user"),
        ("10:06:00", "missed_paused"),
        ("10:07:00", "missed_paused"),
    ];
    assert_eq!(world.history(id).await, pairs(&expected));
    id
}

#[tokio::test]
async fn what_is_run_again_is_what_was_asked_for() {
    let all = ["10:01:00", "10:02:00", "10:03:00", "10:04:00", "10:05:00", "10:06:00", "10:07:00"];
    for (reprocess, expected) in [
        (Reprocess::None, &["10:03:00", "10:04:00", "10:06:00", "10:07:00"][..]),
        (Reprocess::Failed, &["10:02:00", "10:03:00", "10:04:00", "10:06:00", "10:07:00"]),
        (Reprocess::Completed, &all),
    ] {
        let world = World::new().await;
        let id = every_kind(&world).await;
        let ask = Ask { from: "10:01:00", to: "10:07:00", max_active: 10, reprocess, ..TEN };
        assert_eq!(foresee(&world, id, ask).await.total, expected.len(), "{reprocess:?}");
        let backfill = start(&world, id, ask).await;
        world.backfill().await;
        assert_eq!(live(&world, id).await, expected, "{reprocess:?}, also of a paused template");
        // What is live is not run again.
        let again = Ask { reprocess: Reprocess::Completed, ..ask };
        assert_eq!(foresee(&world, id, again).await.total, 7 - expected.len());
        world.finish_due(id, "succeeded").await;
        world.backfill().await;
        assert_eq!(shown(&world, backfill).await.state, BackfillState::Completed);
        assert_eq!(foresee(&world, id, Ask { reprocess: Reprocess::None, ..ask }).await.total, 0);
        let reasons = "SELECT count(*) FROM occurrences WHERE outcome = 'backfilled'
                          AND reason IN ('was expired', 'was missed_window', 'had no record')";
        assert_eq!(sql::number(world.store(), reasons).await, 4);
    }
}

#[tokio::test]
async fn managers_side_by_side_make_each_job_once() {
    let world = World::new().await;
    let id = world.template("t", json!({"kind": "interval", "every_seconds": 10})).await.id;
    let ask = Ask { from: "09:00:00", to: "09:59:50", max_active: 7, ..TEN };
    let backfill = start(&world, id, ask).await;
    let managers: Vec<_> = {
        let mut managers = Vec::new();
        for _ in 0..3 {
            let mut manager = world.backfiller().await;
            managers.push(tokio::spawn(async move {
                for _ in 0..400 {
                    manager.tick().await.unwrap();
                    tokio::task::yield_now().await;
                }
            }));
        }
        managers
    };
    while !managers.iter().all(|manager| manager.is_finished()) {
        let live = live(&world, id).await;
        assert!(live.len() <= 7, "{live:?}");
        world.finish_due(id, "succeeded").await;
    }
    for manager in managers {
        manager.await.unwrap();
    }
    while shown(&world, backfill).await.state == BackfillState::Running {
        world.backfill().await;
        world.finish_due(id, "succeeded").await;
    }
    let done = shown(&world, backfill).await.progress;
    assert_eq!((done.total, done.created, done.succeeded), (360, 360, 360));
    let ran = templates::finished_jobs(world.store(), world.merchant, id).await;
    let times: std::collections::BTreeSet<_> = ran.iter().map(|(at, ..)| *at).collect();
    assert_eq!((ran.len(), times.len()), (360, 360));
}

#[tokio::test]
async fn a_crash_within_a_step_leaves_nothing_half() {
    let world = World::new().await;
    let id = world.template("t", minutely()).await.id;
    let backfill = start(&world, id, Ask { max_active: 4, ..TEN }).await;
    let crash = "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
                 BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$;
                 CREATE TRIGGER fail BEFORE UPDATE OF cursor_at ON backfills FOR EACH ROW EXECUTE FUNCTION fail()";
    sql::execute(world.store(), crash).await;
    let mut manager = world.backfiller().await;
    manager.tick().await.unwrap_err();
    assert_eq!((live(&world, id).await.len(), world.ledger(id).await.len()), (0, 0));
    assert_eq!(shown(&world, backfill).await.progress.created, 0);
    sql::execute(world.store(), "DROP TRIGGER fail ON backfills").await;
    world.backfill().await;
    assert_eq!(live(&world, id).await, ["09:00:00", "09:01:00", "09:02:00", "09:03:00"]);
}

#[tokio::test]
async fn one_that_cannot_be_driven_keeps_no_other_from_it() {
    let world = World::new().await;
    let (broken, good) = (world.template("broken", minutely()).await.id, world.template("good", minutely()).await.id);
    let stuck = start(&world, broken, TEN).await;
    start(&world, good, TEN).await;
    templates::damage(world.store(), world.merchant, broken, r#"{"target":{"kind":"noop"},"invented_later":1}"#).await;
    world.backfill().await;
    assert_eq!((live(&world, broken).await.len(), live(&world, good).await.len()), (0, 1));
    let whole = r#"{"queue":"default","priority":5,"target":{"kind":"noop"}}"#;
    templates::damage(world.store(), world.merchant, broken, whole).await;
    world.backfill().await;
    assert_eq!(live(&world, broken).await.len(), 0, "it is left alone for a while");
    world.advance(60);
    world.backfill().await;
    assert_eq!(live(&world, broken).await, ["09:00:00"]);
    assert_eq!(shown(&world, stuck).await.state, BackfillState::Running);
}

#[tokio::test]
async fn a_cancel_takes_back_what_has_not_started() {
    let world = World::new().await;
    let id = every_kind(&world).await;
    let before = world.history(id).await;
    let ask = Ask { from: "10:00:00", to: "10:07:00", max_active: 4, reprocess: Reprocess::Failed, ..TEN };
    let backfill = start(&world, id, ask).await;
    world.backfill().await;
    assert_eq!(live(&world, id).await, ["10:00:00", "10:02:00", "10:03:00", "10:04:00"]);
    let jobs = world.live_jobs(id).await;
    claim(&world, jobs[1].id).await;
    let BackfillChanged::Done { backfill: shown_then, cancelled } =
        change(&world, backfill, BackfillChange::Cancel).await
    else {
        panic!("not cancelled");
    };
    assert_eq!((shown_then.state, cancelled), (BackfillState::Cancelled, 3));
    assert_eq!(live(&world, id).await, ["10:02:00"], "what runs goes on");
    let changed: Vec<_> = world.history(id).await.into_iter().filter(|row| !before.contains(row)).collect();
    assert_eq!(changed, pairs(&[("10:02:00", "backfilled")]), "the others are what they were");
    let restored = "SELECT count(*) FROM occurrences WHERE nominal_at = '2026-05-04T10:03:00Z' AND replaced IS NULL
                       AND job_id IS NOT NULL AND backfill_id IS NULL";
    assert_eq!(sql::number(world.store(), restored).await, 1);
    world.finish_due(id, "succeeded").await;
    world.backfill().await;
    let end = shown(&world, backfill).await;
    assert_eq!((end.state, end.progress.succeeded, end.progress.other), (BackfillState::Cancelled, 1, 3));
    assert_eq!(
        change(&world, backfill, BackfillChange::Resume).await,
        BackfillChanged::Ended(BackfillState::Cancelled)
    );
    assert!(matches!(
        change(&world, backfill, BackfillChange::Cancel).await,
        BackfillChanged::Done { cancelled: 0, .. }
    ));
    // What was called off is run by the next one.
    assert_eq!(foresee(&world, id, Ask { reprocess: Reprocess::None, ..ask }).await.total, 5);
}

#[tokio::test]
async fn a_pause_lasts_until_it_is_resumed() {
    let world = World::new().await;
    let id = world.template("t", minutely()).await.id;
    let backfill = start(&world, id, Ask { to: "09:01:00", ..TEN }).await;
    world.backfill().await;
    change(&world, backfill, BackfillChange::Pause).await;
    world.finish_due(id, "succeeded").await;
    world.backfill().await;
    assert_eq!(live(&world, id).await.len(), 0);
    let paused = shown(&world, backfill).await;
    assert_eq!((paused.state, paused.progress.succeeded, paused.progress.remaining), (BackfillState::Paused, 1, 1));
    assert!(matches!(change(&world, backfill, BackfillChange::Pause).await, BackfillChanged::Done { .. }));
    change(&world, backfill, BackfillChange::Resume).await;
    world.backfill().await;
    assert_eq!(live(&world, id).await, ["09:01:00"]);
    world.finish_due(id, "succeeded").await;
    world.backfill().await;
    assert_eq!(shown(&world, backfill).await.state, BackfillState::Completed);
    assert_eq!(change(&world, backfill, BackfillChange::Pause).await, BackfillChanged::Ended(BackfillState::Completed));
}

#[tokio::test]
async fn a_deleted_template_ends_its_backfills() {
    let world = World::new().await;
    let id = world.template("t", minutely()).await.id;
    let other = world.template("other", minutely()).await.id;
    let running = start(&world, id, Ask { max_active: 2, ..TEN }).await;
    let paused = start(&world, id, Ask { from: "08:00:00", to: "08:10:00", ..TEN }).await;
    let untouched = start(&world, other, TEN).await;
    world.backfill().await;
    change(&world, paused, BackfillChange::Pause).await;
    world.change(id, TemplateChange::Delete).await;
    for backfill in [running, paused] {
        let end = shown(&world, backfill).await;
        assert_eq!((end.state, end.reason.as_deref()), (BackfillState::Cancelled, Some("its template was deleted")));
    }
    assert_eq!(live(&world, id).await, Vec::<String>::new());
    world.backfill().await;
    assert_eq!(live(&world, id).await, Vec::<String>::new());
    assert_eq!(shown(&world, untouched).await.state, BackfillState::Running);
    assert!(matches!(try_start(&world, id, TEN, false).await, BackfillStarted::NotFound));
}

#[tokio::test]
async fn steps_cancels_and_deletions_at_the_same_time_leave_nothing_behind() {
    let world = World::new().await;
    for round in 0..12 {
        let id = world.template(&format!("t{round}"), minutely()).await.id;
        let ask = Ask { max_active: 5, ..TEN };
        let (one, two) = (start(&world, id, ask).await, start(&world, id, Ask { from: "08:00:00", ..ask }).await);
        let (mut first, mut second) = (world.backfiller().await, world.backfiller().await);
        let drive = async {
            for _ in 0..3 {
                let (a, b) = tokio::join!(first.tick(), second.tick());
                a.unwrap();
                b.unwrap();
            }
        };
        let end = async {
            for _ in 0..round {
                tokio::task::yield_now().await;
            }
            change(&world, one, BackfillChange::Cancel).await;
            world.change(id, TemplateChange::Delete).await;
        };
        tokio::join!(drive, end);
        for backfill in [one, two] {
            let end = shown(&world, backfill).await;
            assert_eq!((end.state, end.progress.running), (BackfillState::Cancelled, 0));
            assert_eq!(end.progress.created, end.progress.other);
        }
        assert_eq!((live(&world, id).await.len(), world.ledger(id).await.len()), (0, 0), "as if it had never been");
    }
    assert_eq!(sql::number(world.store(), "SELECT count(*) FROM claims").await, 0);
}

#[tokio::test]
async fn edits_and_pauses_of_the_template_leave_its_backfills_alone() {
    let world = World::new().await;
    let id = world.template("t", minutely()).await.id;
    let backfill = start(&world, id, TEN).await;
    world.backfill().await;
    world.change(id, TemplateChange::Pause).await;
    assert_eq!(live(&world, id).await, ["09:00:00"]);
    let every_other = json!({"kind": "cron", "expression": "*/2 * * * *"});
    templates::replace(world.store(), world.merchant, id, world.clock.now(), templates::body("t", every_other)).await;
    assert_eq!(live(&world, id).await, ["09:00:00"]);
    while shown(&world, backfill).await.state == BackfillState::Running {
        world.finish_due(id, "succeeded").await;
        world.backfill().await;
    }
    let progress = shown(&world, backfill).await.progress;
    assert_eq!((progress.total, progress.created, progress.remaining), (10, 5, 0), "from then on by the new schedule");
}

#[tokio::test]
async fn a_freeze_window_holds_it() {
    let world = World::new().await;
    let id = world.template("t", minutely()).await.id;
    let backfill = start(&world, id, TEN).await;
    let freeze = Freeze {
        name: "w".to_owned(),
        starts_at: today("09:30:00"),
        ends_at: today("10:30:00"),
        action: FreezeAction::Hold,
    };
    world.store().create_freeze(world.merchant, &freeze, world.clock.now()).await.unwrap();
    world.backfill().await;
    assert_eq!((live(&world, id).await.len(), shown(&world, backfill).await.state), (0, BackfillState::Running));
    world.clock.set(today("10:30:00"));
    world.backfill().await;
    assert_eq!(live(&world, id).await, ["09:00:00"]);
}

#[tokio::test]
async fn the_template_neither_ends_nor_pauses_by_it() {
    let world = World::new().await;
    let mut body = templates::body("t", minutely());
    body["max_runs"] = json!(1);
    body["pause_after_failures"] = json!(1);
    body["action_after_completion"] = json!("delete");
    let id = world.template_of(body).await.id;
    let backfill = start(&world, id, Ask { to: "09:01:00", ..TEN }).await;
    world.backfill().await;
    world.settle().await;
    world.advance(60);
    world.finish_due(id, "succeeded").await;
    world.review().await;
    assert!(world.shown(id).await.active, "the backfill has not ended");
    world.backfill().await;
    world.finish_due(id, "dead").await;
    world.review().await;
    assert!(world.shown(id).await.active, "what a backfill fails at is no failure of today");
    world.backfill().await;
    assert_eq!(shown(&world, backfill).await.state, BackfillState::Completed);
    world.review().await;
    assert!(world.store().get_template(world.merchant, id).await.unwrap().is_none(), "now all of it has");
}

#[tokio::test]
async fn what_is_planned_and_what_is_backfilled_is_one_job() {
    let world = World::new().await;
    let id = world.template("t", json!({"kind": "interval", "every_seconds": 5})).await.id;
    // An outage that the materialiser makes up for while somebody fills the gap.
    world.clock.set(today("10:10:00"));
    sql::execute(
        world.store(),
        "UPDATE templates SET policies = '{\"catchup_policy\": \"all\", \"catchup_max_runs\": 1000}'",
    )
    .await;
    let backfill = start(&world, id, Ask { from: "10:00:05", to: "10:10:00", max_active: 1000, ..TEN }).await;
    let (mut manager, mut backfiller) = (world.manager().await, world.backfiller().await);
    let plan = async {
        while manager.tick().await.unwrap() == Progress::More {
            tokio::task::yield_now().await;
        }
    };
    let fill = async {
        while backfiller.tick().await.unwrap() == Progress::More {
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(plan, fill);
    world.backfill().await;
    let orphans = "SELECT count(*) FROM occurrences o FULL JOIN jobs_live j ON j.id = o.job_id
                    WHERE j.id IS NULL OR o.job_id IS NULL";
    assert_eq!(sql::number(world.store(), orphans).await, 0);
    let doubles = "SELECT count(*) - count(DISTINCT scheduled_for) FROM jobs_live";
    assert_eq!(sql::number(world.store(), doubles).await, 0);
    let past = "SELECT count(*) FROM jobs_live WHERE scheduled_for <= '2026-05-04T10:10:00Z'";
    assert_eq!(sql::number(world.store(), past).await, 120);
    assert_eq!(shown(&world, backfill).await.progress.remaining, 0);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let world = World::new().await;
    let dense = world.template("dense", json!({"kind": "interval", "every_seconds": 1})).await.id;
    let three_hours = Ask { from: "06:00:00", to: "09:00:00", ..TEN };
    assert!(matches!(try_start(&world, dense, three_hours, true).await, BackfillStarted::TooManyTimes(10_000)));
    let from_ends = json!({"kind": "interval", "every_seconds": 60, "anchor": "completion"});
    let from_ends = world.template("ends", from_ends).await.id;
    assert!(matches!(try_start(&world, from_ends, TEN, false).await, BackfillStarted::CountsFromEnds));
    // Nothing to do: done at once.
    let none = Ask { from: "09:00:10", to: "09:00:50", ..TEN };
    let id = world.template("t", minutely()).await.id;
    let backfill = start(&world, id, none).await;
    assert_eq!(shown(&world, backfill).await.state, BackfillState::Completed);
    for _ in 0..100 {
        start(&world, id, TEN).await;
    }
    assert!(matches!(try_start(&world, id, TEN, false).await, BackfillStarted::TooMany));
}
