//! One occurrence skipped, moved, given back: before it is planned and after, through edits, pauses and other changes.

use crate::world::{World, clock_time, pairs, time};
use chrono::{DateTime, Utc};
use scheduler_core::domain::{Freeze, FreezeAction, JobId, OccurrenceOutcome, TemplateId};
use scheduler_core::store::templates::{
    ChangeOccurrence, ChangedOccurrence, OccurrenceChange, OccurrenceChanged, Refusal, TemplateChange, WhichOccurrence,
};
use serde_json::{Value, json};
use test_support::{sql, templates};

const SKIP: OccurrenceChange = OccurrenceChange::Skip;
const UNSKIP: OccurrenceChange = OccurrenceChange::Unskip;

fn to(at: &str) -> OccurrenceChange {
    OccurrenceChange::Move { to: today(at) }
}

fn today(at: &str) -> DateTime<Utc> {
    time(&format!("2026-05-04T{at}Z"))
}

fn every(seconds: u64) -> Value {
    json!({"kind": "interval", "every_seconds": seconds})
}

async fn try_change(
    world: &World,
    id: TemplateId,
    which: WhichOccurrence,
    change: OccurrenceChange,
) -> OccurrenceChanged {
    let wanted = ChangeOccurrence {
        merchant: world.merchant,
        template: id,
        which,
        change,
        now: world.clock.now(),
        dry_run: false,
        key: None,
    };
    world.store().change_occurrence(&wanted).await.unwrap()
}

async fn change(world: &World, id: TemplateId, at: &str, change: OccurrenceChange) -> ChangedOccurrence {
    match try_change(world, id, WhichOccurrence::At(today(at)), change).await {
        OccurrenceChanged::Done(done) => *done,
        other => panic!("{at}: {other:?}"),
    }
}

async fn change_next(world: &World, id: TemplateId, change: OccurrenceChange) -> String {
    match try_change(world, id, WhichOccurrence::Next, change).await {
        OccurrenceChanged::Done(done) => clock_time(done.nominal_at),
        other => panic!("{other:?}"),
    }
}

async fn refused(world: &World, id: TemplateId, at: &str, change: OccurrenceChange) -> Refusal {
    match try_change(world, id, WhichOccurrence::At(today(at)), change).await {
        OccurrenceChanged::Refused { why, .. } => why,
        other => panic!("{at}: {other:?}"),
    }
}

/// Nominal times and starts of the live jobs.
async fn starts(world: &World, id: TemplateId) -> Vec<(String, String)> {
    let jobs = world.live_jobs(id).await;
    jobs.iter().map(|job| (clock_time(job.scheduled_for), clock_time(job.run_at))).collect()
}

async fn reasons(world: &World, id: TemplateId) -> Vec<(String, Option<String>)> {
    let finished = templates::finished_jobs(world.store(), world.merchant, id).await;
    finished.into_iter().map(|(at, _, reason)| (clock_time(at), reason)).collect()
}

/// Three jobs ahead (10:00:20, 10:00:40, 10:01:00), then ten seconds later.
async fn three_ahead(world: &World) -> TemplateId {
    let id = world.template("t", every(20)).await.id;
    world.settle().await;
    world.advance(10);
    id
}

#[tokio::test]
async fn what_is_planned_is_taken_back_and_given_back() {
    let world = World::new().await;
    let id = three_ahead(&world).await;
    let done = change(&world, id, "10:00:40", SKIP).await;
    let entry = done.entry.unwrap();
    assert_eq!((entry.outcome, entry.job, entry.moved_to), (OccurrenceOutcome::SkippedUser, None, None));
    assert_eq!(world.live_times(id).await, ["10:00:20", "10:01:00"]);
    assert_eq!(reasons(&world, id).await, [("10:00:40".to_owned(), Some("occurrence_skipped".to_owned()))]);
    assert_eq!(sql::number(world.store(), "SELECT count(*) FROM claims").await, 0);
    // Again, and the plan goes on without it.
    change(&world, id, "10:00:40", SKIP).await;
    world.settle().await;
    assert_eq!(world.live_times(id).await, ["10:00:20", "10:01:00"]);

    let back = change(&world, id, "10:00:40", UNSKIP).await;
    assert_eq!((back.jobs.len(), back.entry.unwrap().outcome), (1, OccurrenceOutcome::Dispatched));
    assert_eq!(world.live_times(id).await, ["10:00:20", "10:00:40", "10:01:00"]);
    change(&world, id, "10:00:40", UNSKIP).await;
    assert_eq!(world.live_jobs(id).await.len(), 3, "giving back twice is giving back once");
    assert_eq!(world.shown(id).await.version, 1);
}

#[tokio::test]
async fn what_is_far_ahead_is_decided_before_it_is_planned() {
    let world = World::new().await;
    let id = world.template("t", every(20)).await.id;
    assert!(change(&world, id, "10:05:00", SKIP).await.jobs.is_empty());
    change(&world, id, "10:05:20", SKIP).await;
    let moved = change(&world, id, "10:05:40", to("10:06:30")).await;
    assert_eq!(moved.jobs.len(), 1, "it has its job at once");
    change(&world, id, "10:06:00", SKIP).await;
    assert!(change(&world, id, "10:06:00", UNSKIP).await.entry.is_none(), "it will be planned in time");
    world.settle().await;
    world.clock.set(today("10:05:30"));
    world.settle().await;
    let tail = starts(&world, id).await;
    let expected = [("10:05:40", "10:06:30"), ("10:06:00", "10:06:00"), ("10:06:20", "10:06:20")];
    assert_eq!(tail[tail.len() - 3..], pairs(&expected));
    let ledger = world.ledger(id).await;
    let of = |at: &str| ledger.iter().find(|(time, _)| time == at).unwrap().1.clone();
    assert_eq!(["10:05:00", "10:05:20", "10:05:40"].map(of), ["skipped_user", "skipped_user", "dispatched"]);
}

#[tokio::test]
async fn a_moved_one_starts_at_its_new_time_and_once() {
    let world = World::new().await;
    let id = three_ahead(&world).await;
    let before = world.live_jobs(id).await[1].id;
    let moved = change(&world, id, "10:00:40", to("10:00:50")).await;
    let entry = moved.entry.unwrap();
    assert_eq!((entry.moved_to, entry.reason.as_deref()), (Some(today("10:00:50")), Some("moved")));
    let job = world.live_jobs(id).await.remove(1);
    assert_eq!((job.id, clock_time(job.run_at)), (entry.job.unwrap().0, "10:00:50".to_owned()));
    assert_ne!(job.id, before);
    // The same again, then elsewhere, then to its own time.
    change(&world, id, "10:00:40", to("10:00:50")).await;
    assert_eq!(world.live_jobs(id).await[1].id, job.id);
    change(&world, id, "10:00:40", to("11:30:00")).await;
    assert_eq!(starts(&world, id).await[1], ("10:00:40".to_owned(), "11:30:00".to_owned()));
    change(&world, id, "10:00:40", UNSKIP).await;
    assert_eq!(starts(&world, id).await[1], ("10:00:40".to_owned(), "10:00:40".to_owned()));
    // Earlier than its time: it has run when its time comes.
    change(&world, id, "10:01:00", to("10:00:15")).await;
    world.clock.set(today("10:00:15"));
    world.finish_due(id, "succeeded").await;
    for _ in 0..3 {
        world.advance(30);
        world.settle().await;
        world.finish_due(id, "succeeded").await;
    }
    let ended = templates::finished_jobs(world.store(), world.merchant, id).await;
    let ran = ended.iter().filter(|(at, state, _)| *at == today("10:01:00") && state == "succeeded").count();
    assert_eq!(ran, 1);
    assert!(matches!(refused(&world, id, "10:01:00", SKIP).await, Refusal::Ended(_)));
}

#[tokio::test]
async fn next_is_the_first_that_is_to_run() {
    let world = World::new().await;
    let id = three_ahead(&world).await;
    assert_eq!(change_next(&world, id, SKIP).await, "10:00:20");
    assert_eq!(change_next(&world, id, SKIP).await, "10:00:40");
    assert_eq!(change_next(&world, id, to("10:02:10")).await, "10:01:00");
    assert_eq!(change_next(&world, id, UNSKIP).await, "10:00:20");
    assert_eq!(change_next(&world, id, UNSKIP).await, "10:00:40");
    assert_eq!(change_next(&world, id, UNSKIP).await, "10:01:00");
    assert!(matches!(try_change(&world, id, WhichOccurrence::Next, UNSKIP).await, OccurrenceChanged::NoNext));
    assert_eq!(starts(&world, id).await, pairs(&["10:00:20", "10:00:40", "10:01:00"].map(|at| (at, at))));
}

#[tokio::test]
async fn what_cannot_be_changed_says_why() {
    let world = World::new().await;
    let id = three_ahead(&world).await;
    let no_time = try_change(&world, id, WhichOccurrence::At(today("10:00:30")), SKIP).await;
    let (before, after) = (Some(today("10:00:20")), Some(today("10:00:40")));
    assert!(matches!(no_time, OccurrenceChanged::NotNominal { before: b, after: a } if (b, a) == (before, after)));
    assert_eq!(refused(&world, id, "09:59:00", SKIP).await, Refusal::Past(None));
    assert_eq!(refused(&world, id, "10:00:00", to("11:00:00")).await, Refusal::Past(None));

    let jobs = world.live_jobs(id).await;
    world.clock.set(today("10:00:20"));
    assert_eq!(refused(&world, id, "10:00:20", SKIP).await, Refusal::Due(JobId(jobs[0].id)));
    let retrying = format!("UPDATE jobs_live SET state = 'retrying', attempt = 1 WHERE id = '{}'", jobs[1].id);
    sql::execute(world.store(), &retrying).await;
    assert_eq!(refused(&world, id, "10:00:40", to("11:00:00")).await, Refusal::Started(JobId(jobs[1].id)));
    world.store().cancel(world.merchant, JobId(jobs[2].id)).await.unwrap();
    assert_eq!(refused(&world, id, "10:01:00", SKIP).await, Refusal::Ended(JobId(jobs[2].id)));

    let window = |name: &str, action| Freeze {
        name: name.to_owned(),
        starts_at: today("10:10:00"),
        ends_at: today("10:20:00"),
        action,
    };
    world.store().create_freeze(world.merchant, &window("w", FreezeAction::Skip), world.clock.now()).await.unwrap();
    let frozen = Refusal::Frozen { name: "w".to_owned(), ends_at: today("10:20:00") };
    assert_eq!(refused(&world, id, "10:02:00", to("10:15:00")).await, frozen);
    assert_eq!(refused(&world, id, "10:15:00", SKIP).await, Refusal::LeftOut("freeze w leaves it out".to_owned()));
    let stranger = ChangeOccurrence {
        merchant: scheduler_core::domain::MerchantId(uuid::Uuid::nil()),
        template: id,
        which: WhichOccurrence::Next,
        change: SKIP,
        now: world.clock.now(),
        dry_run: false,
        key: None,
    };
    assert!(matches!(world.store().change_occurrence(&stranger).await.unwrap(), OccurrenceChanged::NotFound));
}

#[tokio::test]
async fn an_edit_keeps_what_still_is_a_nominal_time() {
    let world = World::new().await;
    let id = three_ahead(&world).await;
    change(&world, id, "10:00:20", SKIP).await;
    change(&world, id, "10:00:40", to("10:00:45")).await;
    change(&world, id, "10:01:00", SKIP).await;
    change(&world, id, "10:04:00", to("10:04:05")).await;
    change(&world, id, "10:04:20", to("10:04:25")).await;
    change(&world, id, "10:05:00", SKIP).await;
    change(&world, id, "10:05:20", SKIP).await;
    templates::replace(world.store(), world.merchant, id, world.clock.now(), templates::body("t", every(60))).await;
    let expected = [("10:01:00", "skipped_user"), ("10:04:00", "dispatched"), ("10:05:00", "skipped_user")];
    assert_eq!(world.ledger(id).await, pairs(&expected));
    assert_eq!(starts(&world, id).await, pairs(&[("10:04:00", "10:04:05")]));
    // And back: what was lost is planned like any other.
    templates::replace(world.store(), world.merchant, id, world.clock.now(), templates::body("t", every(20))).await;
    assert_eq!(
        starts(&world, id).await,
        pairs(&[("10:00:20", "10:00:20"), ("10:00:40", "10:00:40"), ("10:04:00", "10:04:05")])
    );
    world.clock.set(today("10:05:30"));
    world.settle().await;
    let ledger = world.ledger(id).await;
    for (at, outcome) in [("10:05:00", "skipped_user"), ("10:05:20", "dispatched"), ("10:04:00", "dispatched")] {
        let found: Vec<_> = ledger.iter().filter(|(time, _)| time == at).map(|(_, outcome)| outcome.as_str()).collect();
        let missed = if at == "10:05:20" { "missed_window" } else { outcome };
        assert!(found == [outcome] || found == [missed], "{at} {found:?}");
    }
}

#[tokio::test]
async fn a_pause_keeps_skips_and_moves() {
    let world = World::new().await;
    let id = three_ahead(&world).await;
    change(&world, id, "10:00:40", SKIP).await;
    change(&world, id, "10:01:00", to("10:01:05")).await;
    change(&world, id, "10:03:00", to("10:03:05")).await;
    assert_eq!(world.change(id, TemplateChange::Pause).await, 3);
    assert_eq!(world.live_jobs(id).await.len(), 0);
    assert_eq!(refused(&world, id, "10:03:20", to("10:03:25")).await, Refusal::Paused);
    change(&world, id, "10:03:20", SKIP).await;
    change(&world, id, "10:03:40", SKIP).await;
    change(&world, id, "10:03:40", UNSKIP).await;
    world.clock.set(today("10:02:30"));
    world.change(id, TemplateChange::Resume).await;
    world.settle().await;
    let expected = [("10:02:40", "10:02:40"), ("10:03:00", "10:03:05")];
    assert_eq!(starts(&world, id).await, pairs(&expected), "the one of 10:01 was moved within the pause");
    world.clock.set(today("10:02:50"));
    world.settle().await;
    let history = world.history(id).await;
    let of = |at: &str| history.iter().filter(|(time, _)| time == at).map(|(_, it)| it.as_str()).collect::<Vec<_>>();
    assert_eq!(
        [of("10:00:40"), of("10:01:00"), of("10:01:20")],
        [["skipped_user"], ["missed_paused"], ["missed_paused"]]
    );
    assert_eq!([of("10:03:20"), of("10:03:40")], [["skipped_user"], ["dispatched"]]);
}

#[tokio::test]
async fn freeze_windows_count_where_it_starts() {
    let world = World::new().await;
    let id = three_ahead(&world).await;
    change(&world, id, "10:00:40", to("10:10:00")).await;
    change(&world, id, "10:01:00", to("10:30:00")).await;
    let window = |name: &str, from, until, action| Freeze {
        name: name.to_owned(),
        starts_at: today(from),
        ends_at: today(until),
        action,
    };
    let skip = window("skip", "10:00:30", "10:15:00", FreezeAction::Skip);
    let hold = window("hold", "10:25:00", "10:45:00", FreezeAction::Hold);
    for freeze in [skip, hold] {
        world.store().create_freeze(world.merchant, &freeze, world.clock.now()).await.unwrap();
    }
    world.review().await;
    let expected = [("10:00:20", "dispatched"), ("10:00:40", "skipped_calendar"), ("10:01:00", "dispatched")];
    assert_eq!(world.ledger(id).await, pairs(&expected));
    assert_eq!(starts(&world, id).await, pairs(&[("10:00:20", "10:00:20"), ("10:01:00", "10:45:00")]));
    // Once they are gone everything is where it was moved.
    for name in ["skip", "hold"] {
        world.store().delete_freeze(world.merchant, name).await.unwrap();
    }
    world.review().await;
    let moved = [("10:00:20", "10:00:20"), ("10:00:40", "10:10:00"), ("10:01:00", "10:30:00")];
    assert_eq!(starts(&world, id).await, pairs(&moved));
}

#[tokio::test]
async fn a_skipped_one_has_had_its_run() {
    let world = World::new().await;
    let mut body = templates::body("t", every(20));
    body["max_runs"] = json!(4);
    let id = world.template_of(body.clone()).await.id;
    world.settle().await;
    change(&world, id, "10:00:20", SKIP).await;
    change(&world, id, "10:01:20", SKIP).await;
    let left_out = refused(&world, id, "10:01:40", SKIP).await;
    assert_eq!(left_out, Refusal::LeftOut("the template will have had its 4 runs (`max_runs`) by then".to_owned()));
    for _ in 0..3 {
        templates::replace(world.store(), world.merchant, id, world.clock.now(), body.clone()).await;
    }
    for _ in 0..4 {
        world.advance(30);
        world.settle().await;
    }
    assert_eq!(world.shown(id).await.runs, 4);
    assert_eq!(world.ledger(id).await.len(), 4);
}

#[tokio::test]
async fn what_counts_from_ends_counts_on_from_a_skipped_one() {
    let world = World::new().await;
    let id = world.template("t", json!({"kind": "interval", "every_seconds": 300, "anchor": "completion"})).await.id;
    // The database's own clock is elsewhere.
    let review = || async {
        let ended = "UPDATE jobs_finished SET finished_at = created_at WHERE state = 'cancelled'";
        sql::execute(world.store(), ended).await;
        world.review().await;
    };
    // Beyond the look-ahead.
    change(&world, id, "10:05:00", SKIP).await;
    assert_eq!(world.shown(id).await.next_at, Some(today("10:10:00")));
    assert_eq!(refused(&world, id, "10:05:00", UNSKIP).await, Refusal::CountedOn);
    world.clock.set(today("10:09:30"));
    review().await;
    world.settle().await;
    assert_eq!(world.live_times(id).await, ["10:10:00"]);
    change(&world, id, "10:10:00", to("10:12:00")).await;
    change(&world, id, "10:10:00", UNSKIP).await;
    change(&world, id, "10:10:00", to("10:09:40")).await;
    review().await;
    assert_eq!(starts(&world, id).await, pairs(&[("10:10:00", "10:09:40")]));
    world.clock.set(today("10:09:45"));
    world.finish_due(id, "succeeded").await;
    review().await;
    assert_eq!(world.shown(id).await.next_at, Some(today("10:14:45")));
    world.clock.set(today("10:14:00"));
    world.settle().await;
    assert_eq!(change_next(&world, id, SKIP).await, "10:14:45");
    review().await;
    assert_eq!(world.shown(id).await.next_at, Some(today("10:19:45")), "by its own review it counts from nothing else");
}

#[tokio::test]
async fn two_callers_change_one_occurrence() {
    let world = World::new().await;
    let id = three_ahead(&world).await;
    for round in 0..10 {
        let at = WhichOccurrence::At(today("10:00:40"));
        let (one, other) = tokio::join!(
            try_change(&world, id, at, if round % 2 == 0 { SKIP } else { UNSKIP }),
            try_change(&world, id, at, to("10:00:55")),
        );
        assert!(matches!((one, other), (OccurrenceChanged::Done(_), OccurrenceChanged::Done(_))));
        let live = starts(&world, id).await;
        assert!(live.iter().filter(|(at, _)| at == "10:00:40").count() <= 1, "{live:?}");
        let orphans = "SELECT count(*) FROM occurrences o FULL JOIN jobs_live j ON j.id = o.job_id
                        WHERE j.id IS NULL AND o.outcome = 'dispatched' OR o.job_id IS NULL AND j.id IS NOT NULL";
        assert_eq!(sql::number(world.store(), orphans).await, 0);
    }
}
