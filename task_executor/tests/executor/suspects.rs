//! Jobs that have been in too many crashes run alone, in a session of their own.

use crate::support::{SOON, World};
use std::time::Duration;
use test_support::seed::{self, JobSeed};
use test_support::{Receiver, Script};

#[tokio::test(flavor = "multi_thread")]
async fn a_suspect_runs_in_a_session_of_its_own_while_nothing_else_runs() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    receiver.answer(vec![Script::status(200).delay(Duration::from_millis(400))]);
    let executor = world.start(&[]);
    let beside = world.webhook(&receiver.url("/beside")).await;
    world.push(&[beside]).await;
    receiver.wait_for(1, SOON).await;
    let seed = JobSeed { state: "retrying", attempt: 2, crashes: 2, ..world.webhook_seed(&receiver.url("/suspect")) };
    let suspect = seed.insert(world.db.store()).await;
    world.push(&[suspect]).await;
    let deliveries = receiver.wait_for(2, SOON).await;
    // It waited for the other one to end.
    assert!(deliveries[1].at - deliveries[0].at >= Duration::from_millis(390));
    // (The claim of the other one may still stand: its result is being written.)
    let alone = format!(
        "SELECT count(*) FROM claims c WHERE c.job_id = '{suspect}'
            AND NOT EXISTS (SELECT 1 FROM claims o WHERE o.session_id = c.session_id AND o.job_id <> c.job_id)"
    );
    assert_eq!(world.number(&alone).await, 1);
    assert_eq!(world.number("SELECT count(*) FROM sessions WHERE lost_at IS NULL").await, 2);
    // Nothing starts beside it.
    let after = seed::job(world.db.store(), world.merchant).await;
    world.push(&[after]).await;
    world.until_state(suspect, "succeeded").await;
    world.until_state(after, "succeeded").await;
    let order = format!(
        "SELECT count(*) FROM jobs_finished a, jobs_finished s
          WHERE a.id = '{after}' AND s.id = '{suspect}' AND a.started_at >= s.finished_at AND s.attempt = 3"
    );
    assert_eq!(world.number(&order).await, 1);
    executor.drain().await;
    assert_eq!(world.number("SELECT count(*) FROM sessions WHERE lost_at IS NULL").await, 0);
}
