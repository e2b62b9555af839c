//! `scheduled | retrying` → `running`: every answer that a claim can get.

use crate::support::{World, granted};
use scheduler_core::domain::{JobId, SessionId, Target};
use scheduler_core::store::transitions::claim::{ClaimAnswer, ClaimKey};
use std::time::Duration;
use test_support::seed::{self, JobSeed};
use uuid::Uuid;

async fn answer(world: &World, job: JobId) -> ClaimAnswer {
    let session = world.session().await;
    world.claim(session, &[world.key(job)]).await.pop().unwrap().answer
}

async fn claims(world: &World) -> i64 {
    world.number("SELECT count(*) FROM claims").await
}

#[tokio::test]
async fn a_due_job_is_granted_with_everything_it_needs() {
    let world = World::new().await;
    let seed = JobSeed {
        payload: Some("[1]".into()),
        attempt: 2,
        state: "retrying",
        crashes: 1,
        ..JobSeed::due(world.merchant)
    };
    let job = seed.insert(world.db.store()).await;
    let key = world.key(job);
    let session = world.session().await;
    let granted = granted(world.claim(session, &[key]).await);
    let work = granted.work.unwrap();
    assert!(matches!(work.target, Target::Noop(_)));
    assert_eq!(work.payload.unwrap().get(), "[1]");
    assert_eq!((granted.key, granted.attempt, granted.crashes, granted.max_attempts), (key, 3, 1, 5));
    assert_eq!((granted.timeout, granted.due_in), (Duration::from_secs(30), Duration::ZERO));
    assert!(!granted.cancel_requested);
    assert_eq!(claims(&world).await, 1);
}

#[tokio::test]
async fn asking_again_with_the_same_token_gives_the_same_answer() {
    let world = World::new().await;
    let job = seed::job(world.db.store(), world.merchant).await;
    let (key, session) = (world.key(job), world.session().await);
    granted(world.claim(session, &[key]).await);
    granted(world.claim(session, &[key]).await);
    assert_eq!(claims(&world).await, 1);
}

#[tokio::test]
async fn a_job_is_granted_once_also_when_it_is_named_twice() {
    let world = World::new().await;
    let job = seed::job(world.db.store(), world.merchant).await;
    let session = world.session().await;
    let answers = world.claim(session, &[world.key(job), world.key(job)]).await;
    let granted = answers.iter().filter(|a| matches!(a.answer, ClaimAnswer::Granted(_))).count();
    let taken = answers.iter().filter(|a| matches!(a.answer, ClaimAnswer::Taken)).count();
    assert_eq!((granted, taken), (1, 1));
    assert!(matches!(answer(&world, job).await, ClaimAnswer::Taken));
}

#[tokio::test]
async fn a_job_that_is_not_due_says_when() {
    let world = World::new().await;
    let seed = JobSeed { due_in_seconds: 100.0, ..JobSeed::due(world.merchant) };
    let job = seed.insert(world.db.store()).await;
    let ClaimAnswer::NotDue { due_in } = answer(&world, job).await else { panic!() };
    assert!(due_in > Duration::from_secs(90) && due_in <= Duration::from_secs(100), "{due_in:?}");
    assert_eq!(claims(&world).await, 0);
    // A moment ahead it is granted, with the rest of the wait.
    let session = world.session().await;
    let ahead = Duration::from_secs(200);
    let early = granted(world.db.claims_store().claim(session, &[world.key(job)], ahead).await.unwrap());
    assert!(early.due_in > Duration::from_secs(90));
}

#[tokio::test]
async fn a_paused_queue_grants_nothing() {
    let world = World::new().await;
    let job = seed::job(world.db.store(), world.merchant).await;
    let pause =
        format!("INSERT INTO queues (merchant_id, name, paused_at) VALUES ('{}', 'default', now())", world.merchant);
    world.execute(&pause).await;
    assert!(matches!(answer(&world, job).await, ClaimAnswer::Paused));
    assert_eq!(claims(&world).await, 0);
}

#[tokio::test]
async fn a_job_that_must_not_overlap_waits_for_the_earlier_one() {
    let world = World::new().await;
    let template = Some(Uuid::from_u128(9));
    let seed = |due| JobSeed { template, overlap_skip: true, due_in_seconds: due, ..JobSeed::due(world.merchant) };
    let first = seed(-60.0).insert(world.db.store()).await;
    let second = seed(-1.0).insert(world.db.store()).await;
    assert!(matches!(answer(&world, second).await, ClaimAnswer::Overlap));
    assert!(matches!(answer(&world, first).await, ClaimAnswer::Granted(_)));
}

#[tokio::test]
async fn what_may_not_run_is_gone() {
    let world = World::new().await;
    let store = world.db.store();
    let failed = JobSeed::failed(world.merchant, 1, true).insert(store).await;
    let late = JobSeed { start_deadline_in_seconds: Some(-0.5), ..JobSeed::due(world.merchant) }.insert(store).await;
    let unknown = JobId(Uuid::from_u128(1));
    for job in [failed, late, unknown] {
        assert!(matches!(answer(&world, job).await, ClaimAnswer::Gone), "{job}");
    }
    assert_eq!(claims(&world).await, 0);
}

#[tokio::test]
async fn another_merchants_job_is_gone() {
    let world = World::new().await;
    let other = seed::merchant(world.db.store(), "other").await;
    let job = seed::job(world.db.store(), world.merchant).await;
    let session = world.session().await;
    let foreign = ClaimKey { merchant: other, ..world.key(job) };
    assert!(matches!(world.claim(session, &[foreign]).await[0].answer, ClaimAnswer::Gone));
}

#[tokio::test]
async fn a_corrupt_row_does_not_take_the_batch_down() {
    let world = World::new().await;
    let bad = JobSeed { target: r#"{"kind":"carrier_pigeon"}"#.into(), ..JobSeed::due(world.merchant) };
    let bad = bad.insert(world.db.store()).await;
    let good = seed::job(world.db.store(), world.merchant).await;
    let session = world.session().await;
    let answers = world.claim(session, &[world.key(bad), world.key(good)]).await;
    assert_eq!(answers.len(), 2);
    for claimed in answers {
        let ClaimAnswer::Granted(granted) = claimed.answer else { panic!() };
        assert_eq!(granted.work.is_err(), claimed.key.job == bad);
    }
}

#[tokio::test]
async fn a_lost_or_unknown_session_gets_no_answers() {
    let world = World::new().await;
    let job = seed::job(world.db.store(), world.merchant).await;
    let lost = world.session().await;
    world.db.claims_store().end_session(lost).await.unwrap();
    for session in [lost, SessionId::random()] {
        assert!(world.claim(session, &[world.key(job)]).await.is_empty());
    }
    assert_eq!(claims(&world).await, 0);
}

#[tokio::test]
async fn candidates_come_by_priority_and_in_turns_between_queues() {
    let world = World::new().await;
    let store = world.db.store();
    let seed = |queue: &str, priority, due| JobSeed {
        queue: queue.into(),
        priority,
        due_in_seconds: due,
        ..JobSeed::due(world.merchant)
    };
    let flood: Vec<JobId> = [-9.0, -8.0, -7.0].map(|due| seed("flood", 5, due)).insert_all(store).await;
    let single = seed("single", 5, -1.0).insert(store).await;
    let urgent = seed("flood", 0, -1.0).insert(store).await;
    let later = seed("single", 0, 60.0).insert(store).await;
    let elsewhere = JobSeed { lane: "slow".into(), ..JobSeed::due(world.merchant) }.insert(store).await;

    let candidates = |limit| async move {
        let found = store.due_candidates("default", Duration::ZERO, limit).await.unwrap();
        found.into_iter().map(|(_, job)| job).collect::<Vec<_>>()
    };
    assert_eq!(candidates(10).await, [urgent, flood[0], single, flood[1], flood[2]]);
    assert_eq!(candidates(2).await, [urgent, flood[0]]);
    let overdue = store.due_candidates("default", Duration::from_secs(5), 10).await.unwrap();
    assert_eq!(overdue.len(), 3);
    assert!(!candidates(10).await.contains(&later) && !candidates(10).await.contains(&elsewhere));

    let session = world.session().await;
    world.claim_one(session, urgent).await;
    world
        .execute(&format!(
            "INSERT INTO queues (merchant_id, name, paused_at) VALUES ('{}', 'flood', now())",
            world.merchant
        ))
        .await;
    assert_eq!(candidates(10).await, [single]);
}

trait InsertAll {
    async fn insert_all(self, store: &scheduler_core::store::Store) -> Vec<JobId>;
}

impl<const N: usize> InsertAll for [JobSeed; N] {
    async fn insert_all(self, store: &scheduler_core::store::Store) -> Vec<JobId> {
        let mut ids = Vec::new();
        for seed in self {
            ids.push(seed.insert(store).await);
        }
        ids
    }
}
