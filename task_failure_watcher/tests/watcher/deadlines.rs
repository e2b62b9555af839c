use crate::world::{World, pump};
use scheduler_core::domain::{JobId, Token};
use scheduler_core::store::transitions::claim::{ClaimAnswer, ClaimKey};
use std::time::Duration;
use task_failure_watcher::Deadlines;
use test_support::seed::JobSeed;

fn duty(world: &World, batch: usize) -> Deadlines {
    Deadlines::new(&world.stores, world.announcer.clone(), batch)
}

async fn with_deadline(world: &World, seconds: f64) -> JobId {
    let seed = JobSeed { start_deadline_in_seconds: Some(seconds), ..JobSeed::due(world.merchant) };
    seed.insert(world.store()).await
}

#[tokio::test]
async fn what_has_not_started_by_its_deadline_expires() {
    let world = World::new().await;
    let (late, early, never) =
        (with_deadline(&world, -1.0).await, with_deadline(&world, 60.0).await, world.job().await);
    let seed = JobSeed {
        state: "retrying",
        attempt: 2,
        start_deadline_in_seconds: Some(-1.0),
        ..JobSeed::due(world.merchant)
    };
    let retrying = seed.insert(world.store()).await;
    let failed = JobSeed { start_deadline_in_seconds: Some(-1.0), ..JobSeed::failed(world.merchant, 1, true) };
    let failed = failed.insert(world.store()).await;
    pump(&mut duty(&world, 100)).await;
    for job in [late, retrying] {
        assert_eq!(world.state(job).await, "expired");
        assert_eq!(world.reason(job).await.as_deref(), Some("start_deadline"));
    }
    assert_eq!((world.state(early).await, world.state(never).await), ("scheduled".into(), "scheduled".into()));
    assert_eq!(world.state(failed).await, "failed");
    // The keys were given back.
    assert_eq!(world.number("SELECT count(*) FROM claims").await, 0);
}

#[tokio::test]
async fn a_job_that_was_called_off_ends_as_cancelled() {
    let world = World::new().await;
    let job = with_deadline(&world, -1.0).await;
    world.execute("UPDATE jobs_live SET cancel_requested_at = clock_timestamp()").await;
    pump(&mut duty(&world, 100)).await;
    assert_eq!(world.state(job).await, "cancelled");
}

#[tokio::test]
async fn what_runs_has_started_in_time() {
    let world = World::new().await;
    let job = with_deadline(&world, 60.0).await;
    let overdue = "UPDATE jobs_live SET start_deadline_at = clock_timestamp() - interval '1 second'";
    // Claimed before the look: it is not even a candidate.
    let session = world.session().await;
    let claims = world.claim(session, &[job]).await;
    world.execute(overdue).await;
    assert_eq!(world.store().overdue_starts(None, 10).await.unwrap(), []);
    // Claimed between the look and the write: its key cannot be had.
    world.store().hand_back(&claims).await.unwrap();
    let page = world.store().overdue_starts(None, 10).await.unwrap();
    assert_eq!(page.len(), 1);
    world.execute("UPDATE jobs_live SET start_deadline_at = NULL").await;
    world.claim(session, &[job]).await;
    world.execute(overdue).await;
    assert_eq!(world.stores.edges.expire_overdue(&page).await.unwrap().expired, 0);
    assert_eq!(world.state(job).await, "scheduled");
    assert_eq!(world.number("SELECT count(*) FROM claims").await, 1);
}

#[tokio::test]
async fn an_edit_between_the_look_and_the_write_counts() {
    let world = World::new().await;
    let job = with_deadline(&world, -1.0).await;
    let page = world.store().overdue_starts(None, 10).await.unwrap();
    world.execute("UPDATE jobs_live SET start_deadline_at = clock_timestamp() + interval '1 hour'").await;
    assert_eq!(world.stores.edges.expire_overdue(&page).await.unwrap().expired, 0);
    assert_eq!(world.state(job).await, "scheduled");
    assert_eq!(world.number("SELECT count(*) FROM claims").await, 0);
}

#[tokio::test]
async fn of_a_claim_and_the_deadline_one_wins() {
    let world = World::new().await;
    let mut jobs = Vec::new();
    for n in 0..150 {
        jobs.push(with_deadline(&world, 1.0 + f64::from(n) / 500.0).await);
    }
    let session = world.session().await;
    let claiming = async {
        let mut granted = 0;
        for chunk in jobs.chunks(5) {
            let key = |job: &JobId| ClaimKey { merchant: world.merchant, job: *job, token: Token::random() };
            let wanted: Vec<ClaimKey> = chunk.iter().map(key).collect();
            let claimed = world.db.claims_store().claim(session, &wanted, Duration::ZERO).await.unwrap();
            granted += claimed.iter().filter(|claim| matches!(claim.answer, ClaimAnswer::Granted(_))).count();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        i64::try_from(granted).unwrap()
    };
    let expiring = async {
        let mut duty = duty(&world, 10);
        let open = "SELECT count(*) FROM jobs_live j WHERE NOT EXISTS (SELECT 1 FROM claims c WHERE c.job_id = j.id)";
        while world.number(open).await > 0 {
            pump(&mut duty).await;
        }
    };
    let (granted, ()) = tokio::join!(claiming, expiring);
    assert_eq!(world.number("SELECT count(*) FROM claims").await, granted);
    assert_eq!(world.number("SELECT count(*) FROM jobs_live").await, granted);
    assert_eq!(world.number("SELECT count(*) FROM jobs_finished WHERE state = 'expired'").await, 150 - granted);
}

#[tokio::test]
async fn many_expire_page_by_page_and_one_bad_row_hides_no_other() {
    let world = World::new().await;
    let mut jobs = Vec::new();
    for _ in 0..35 {
        jobs.push(with_deadline(&world, -1.0).await);
    }
    let poison = jobs[3];
    world.execute(&format!("ALTER TABLE jobs_finished ADD CONSTRAINT poison CHECK (id <> '{poison}')")).await;
    pump(&mut duty(&world, 10)).await;
    assert_eq!(world.number("SELECT count(*) FROM jobs_finished WHERE state = 'expired'").await, 34);
    assert_eq!(world.state(poison).await, "scheduled");
    assert_eq!(world.number("SELECT count(*) FROM claims").await, 0);
}
