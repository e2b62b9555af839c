//! `running` → as it was before.

use crate::support::World;
use scheduler_core::store::transitions::hand_back::HandedBack;
use test_support::seed::JobSeed;

#[tokio::test]
async fn a_claim_that_is_handed_back_leaves_the_job_as_it_was() {
    let world = World::new().await;
    let session = world.session().await;
    let seed = JobSeed { state: "retrying", attempt: 2, crashes: 1, ..JobSeed::due(world.merchant) };
    let job = seed.insert(world.db.store()).await;
    let key = world.claim_one(session, job).await.key;
    let back = world.results.hand_back(&[key]).await.unwrap();
    assert_eq!(back, HandedBack { returned: 1, cancelled: 0, has_dependents: false, released_caps: false });
    assert_eq!(
        world.number("SELECT count(*) FROM jobs_live WHERE state = 'retrying' AND attempt = 2 AND crashes = 1").await,
        1
    );
    assert_eq!(world.claim_one(session, job).await.attempt, 3);
    // The old token has no power over the new claim.
    assert_eq!(world.results.hand_back(&[key]).await.unwrap(), HandedBack::default());
    assert_eq!(world.number("SELECT count(*) FROM claims").await, 1);
}

#[tokio::test]
async fn a_job_that_was_called_off_ends_when_it_is_handed_back() {
    let world = World::new().await;
    let (key, _) = world.running().await;
    let (other, _) = world.running().await;
    let mark =
        format!("UPDATE jobs_live SET cancel_requested_at = now(), has_dependents = true WHERE id = '{}'", key.job);
    world.execute(&mark).await;
    let back = world.results.hand_back(&[key, other]).await.unwrap();
    assert_eq!(back, HandedBack { returned: 2, cancelled: 1, has_dependents: true, released_caps: false });
    let finished = "SELECT count(*) FROM jobs_finished WHERE state = 'cancelled' AND reason = 'cancelled'
         AND attempt = 0 AND execution_id IS NULL";
    assert_eq!(world.number(finished).await, 1);
    assert_eq!(world.state(other.job).await.as_deref(), Some("scheduled"));
}

#[tokio::test]
async fn a_cancel_that_is_written_at_the_same_moment_is_not_overlooked() {
    let world = World::new().await;
    for _ in 0..20 {
        let (key, _) = world.running().await;
        let claims = [key];
        let (asked, back) =
            tokio::join!(world.db.store().cancel(key.merchant, key.job), world.results.hand_back(&claims));
        asked.unwrap();
        back.unwrap();
        assert_eq!(world.state(key.job).await.as_deref(), Some("cancelled"));
    }
}
