//! Claims that are asked for a second time because the first answer was lost.

use crate::world::World;
use scheduler_core::store::transitions::cancel::Cancel;
use scheduler_core::store::transitions::claim::ClaimAnswer;
use test_support::seed;

/// Between the two questions somebody called the job off. Taking the claim back then would leave a cancel that nobody
/// answers: the executor must get it, see the cancel, and end the job.
#[tokio::test]
async fn a_claim_that_is_asked_for_again_and_was_called_off_meanwhile_is_granted_and_ends_the_job() {
    let world = World::new().await;
    for obstacle in [
        "SELECT 1",
        "UPDATE queues SET paused_at = clock_timestamp()",
        "UPDATE queues SET paused_at = NULL, concurrency = 1",
        "UPDATE jobs_live SET run_at = clock_timestamp() + interval '1 hour'",
    ] {
        let key = world.run(world.job().await).await;
        assert_eq!(world.store().cancel(key.merchant, key.job).await.unwrap(), Cancel::Requested);
        world.execute(obstacle).await;
        let again = world.claim(&[key]).await.remove(0).answer;
        let ClaimAnswer::Granted(granted) = again else { panic!("{obstacle}: {again:?}") };
        assert!(granted.cancel_requested, "{obstacle}");
        let back = world.results.hand_back(&[key]).await.unwrap();
        assert_eq!((back.returned, back.cancelled), (1, 1), "{obstacle}");
        let state = seed::stored_state(world.store(), world.merchant, key.job).await;
        assert_eq!(state.as_deref(), Some("cancelled"), "{obstacle}");
        world.execute("UPDATE queues SET paused_at = NULL, concurrency = NULL").await;
    }
}

#[tokio::test]
async fn cancel_and_result_have_one_winner_and_both_hear_who() {
    let world = World::new().await;
    for _ in 0..15 {
        let key = world.run(world.job().await).await;
        let (cancel, receipt) = tokio::join!(world.store().cancel(key.merchant, key.job), world.succeed(key));
        let state = seed::stored_state(world.store(), world.merchant, key.job).await;
        // The attempt was over: its result counts. The cancel hears that it runs still, or that it has ended.
        assert_eq!(state.as_deref(), Some("succeeded"));
        assert!(matches!(cancel.unwrap(), Cancel::Requested | Cancel::NotLive));
        assert_eq!(receipt.acceptance, scheduler_core::store::transitions::results::Acceptance::Accepted);
    }
}
