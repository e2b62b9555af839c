use crate::world::{World, pump};
use scheduler_core::domain::JobId;
use scheduler_core::queue::hints::Topic;
use scheduler_core::queue::{Hint, HintReceiver};
use scheduler_core::reconcile::{Reconcile, Wake};
use scheduler_core::store::transitions::verdict::{BurialOrder, RetryOrder};
use std::time::Duration;
use task_failure_watcher::{Verdicts, VerdictsConfig};
use test_support::seed::JobSeed;

/// Jitter takes half.
const CONFIG: VerdictsConfig = VerdictsConfig { batch: 100, chance: || 0.5 };

fn duty(world: &World) -> Verdicts {
    Verdicts::new(&world.stores, world.announcer.clone(), CONFIG, Wake::new())
}

/// Failed at a known moment, with this policy and these attempts behind it.
async fn failed_at_noon(world: &World, attempt: i32, crashes: i32, backoff: Option<&str>) -> JobId {
    let backoff = backoff.map(str::to_owned);
    let seed = JobSeed { crashes, backoff, max_attempts: 20, ..JobSeed::failed(world.merchant, attempt, true) };
    let job = seed.insert(world.store()).await;
    world.execute(&format!("UPDATE jobs_live SET failed_at = '2026-06-01 12:00Z' WHERE id = '{job}'")).await;
    job
}

/// Milliseconds from noon to the next attempt of a job that waits for it.
async fn wait_of(world: &World, job: JobId) -> i64 {
    world
        .number(&format!(
            "SELECT round(extract(epoch FROM run_at - '2026-06-01 12:00Z') * 1000)::bigint FROM jobs_live
              WHERE id = '{job}' AND state = 'retrying'
                AND failed_at IS NULL AND retryable IS NULL AND retry_not_before IS NULL"
        ))
        .await
}

#[tokio::test]
async fn waits_follow_the_policy_of_the_job() {
    let world = World::new().await;
    let policy = |kind: &str, jitter: &str| {
        format!(r#"{{"kind":"{kind}","initial_seconds":2,"factor":3,"max_seconds":50,"jitter":"{jitter}"}}"#)
    };
    let cases = [
        (Some(policy("exponential", "none")), 1, 2_000),
        (Some(policy("exponential", "none")), 3, 18_000),
        (Some(policy("exponential", "none")), 9, 50_000),
        (Some(policy("exponential", "full")), 3, 9_000),
        (Some(policy("linear", "none")), 4, 8_000),
        (Some(policy("fixed", "none")), 7, 2_000),
        (Some(r#"{"initial_seconds":10}"#.to_owned()), 2, 10_000),
        // The default: one second, doubled each time, full jitter.
        (None, 1, 500),
        (None, 4, 4_000),
        // Unreadable: as if there were none.
        (Some("nonsense".to_owned()), 1, 500),
    ];
    let mut jobs = Vec::new();
    for (backoff, attempt, _) in &cases {
        jobs.push(failed_at_noon(&world, *attempt, 0, backoff.as_deref()).await);
    }
    // Lost attempts are no failures: this is the first one.
    let crashed = failed_at_noon(&world, 5, 4, None).await;
    pump(&mut duty(&world)).await;
    for (job, (backoff, attempt, expected)) in jobs.iter().zip(&cases) {
        assert_eq!(wait_of(&world, *job).await, *expected, "{backoff:?} after {attempt}");
    }
    assert_eq!(wait_of(&world, crashed).await, 500);
}

#[tokio::test]
async fn the_wait_is_never_shorter_than_the_target_asked_for() {
    let world = World::new().await;
    let (asked, backed_off) = (failed_at_noon(&world, 1, 0, None).await, failed_at_noon(&world, 10, 0, None).await);
    world.execute("UPDATE jobs_live SET retry_not_before = '2026-06-01 12:01:30.000001Z'").await;
    pump(&mut duty(&world)).await;
    assert_eq!(wait_of(&world, asked).await, 90_000);
    let exact =
        format!("SELECT count(*) FROM jobs_live WHERE id = '{asked}' AND run_at >= '2026-06-01 12:01:30.000001Z'");
    assert_eq!(world.number(&exact).await, 1);
    // 512 s, halved: longer than asked for.
    assert_eq!(wait_of(&world, backed_off).await, 256_000);
}

#[tokio::test]
async fn used_up_attempts_are_a_dead_letter_with_an_alert() {
    let world = World::new().await;
    let payload = Some(r#""secret""#.to_owned());
    let seed = JobSeed { max_attempts: 3, payload, ..JobSeed::failed(world.merchant, 3, true) };
    let (dead, left) = (seed.insert(world.store()).await, world.failed(3, true).await);
    world.execute("UPDATE jobs_live SET last_error = 'the target answered 500'").await;
    pump(&mut duty(&world)).await;
    assert_eq!((world.state(dead).await, world.state(left).await), ("dead".to_owned(), "retrying".to_owned()));
    assert_eq!(world.reason(dead).await.as_deref(), Some("exhausted"));
    let body = world.text("SELECT body FROM alert_outbox").await.unwrap();
    assert!(!body.contains("secret"), "{body}");
    for part in ["job.dead", "the target answered 500", "exhausted", "default", &dead.to_string()] {
        assert!(body.contains(part), "{part} is not in {body}");
    }
    assert_eq!(world.number("SELECT count(*) FROM alert_outbox").await, 1);
}

#[tokio::test]
async fn lost_attempts_do_not_use_attempts_up() {
    let world = World::new().await;
    let seed = |crashes| JobSeed { crashes, max_attempts: 3, ..JobSeed::failed(world.merchant, 5, true) };
    let (two_failures, three_failures) = (seed(3).insert(world.store()).await, seed(2).insert(world.store()).await);
    pump(&mut duty(&world)).await;
    assert_eq!(world.state(two_failures).await, "retrying");
    assert_eq!(world.state(three_failures).await, "dead");
}

#[tokio::test]
async fn the_dead_letter_and_its_alert_are_one() {
    let world = World::new().await;
    let job = world.failed(1, false).await;
    let other = world.failed(1, true).await;
    world.execute("ALTER TABLE alert_outbox ADD CONSTRAINT full_disk CHECK (false)").await;
    pump(&mut duty(&world)).await;
    assert_eq!(world.state(job).await, "failed");
    assert_eq!(world.state(other).await, "retrying");
    world.execute("ALTER TABLE alert_outbox DROP CONSTRAINT full_disk").await;
    pump(&mut duty(&world)).await;
    assert_eq!(world.state(job).await, "dead");
    assert_eq!(world.number("SELECT count(*) FROM alert_outbox").await, 1);
}

#[tokio::test]
async fn a_failure_that_may_not_be_repeated_is_a_dead_letter_at_once() {
    let world = World::new().await;
    let template = uuid::Uuid::now_v7();
    let seed = JobSeed { template: Some(template), ..JobSeed::failed(world.merchant, 1, false) };
    let job = seed.insert(world.store()).await;
    pump(&mut duty(&world)).await;
    assert_eq!(world.state(job).await, "dead");
    assert_eq!(world.reason(job).await.as_deref(), Some("not_retryable"));
    let key = world.text("SELECT dedupe_key FROM alert_outbox").await;
    assert_eq!(key, Some(format!("job.dead:template:{template}")));
}

#[tokio::test]
async fn a_cancel_wins_over_a_retry_and_over_the_dead_letter() {
    let world = World::new().await;
    let jobs = [world.failed(1, true).await, world.failed(1, false).await];
    world.execute("UPDATE jobs_live SET cancel_requested_at = clock_timestamp()").await;
    pump(&mut duty(&world)).await;
    for job in jobs {
        assert_eq!(world.state(job).await, "cancelled");
    }
    assert_eq!(world.number("SELECT count(*) FROM alert_outbox").await, 0);
}

#[tokio::test]
async fn a_cancel_between_the_look_and_the_verdict_wins_too() {
    let world = World::new().await;
    world.failed(1, true).await;
    let key = world.store().failed_jobs(None, 10).await.unwrap()[0].key;
    world.execute("UPDATE jobs_live SET cancel_requested_at = clock_timestamp()").await;
    let retry = [RetryOrder { key, delay: Duration::ZERO }];
    let bury = [BurialOrder { key, reason: "exhausted" }];
    assert_eq!(world.stores.edges.retry(&retry).await.unwrap(), []);
    assert_eq!(world.stores.edges.bury(&bury).await.unwrap().reasons.len(), 0);
    assert_eq!(world.stores.edges.call_off(&[key]).await.unwrap().reasons, ["cancelled"]);
}

#[tokio::test]
async fn a_verdict_is_about_one_attempt_only() {
    let world = World::new().await;
    let job = world.failed(1, true).await;
    let key = world.store().failed_jobs(None, 10).await.unwrap()[0].key;
    // Somebody else was faster, and by now the next attempt has failed as well.
    world.execute("UPDATE jobs_live SET attempt = 2").await;
    let retry = [RetryOrder { key, delay: Duration::ZERO }];
    let bury = [BurialOrder { key, reason: "exhausted" }];
    assert_eq!(world.stores.edges.retry(&retry).await.unwrap(), []);
    assert_eq!(world.stores.edges.bury(&bury).await.unwrap().reasons.len(), 0);
    assert_eq!(world.stores.edges.call_off(&[key]).await.unwrap().reasons.len(), 0);
    assert_eq!(world.state(job).await, "failed");
}

#[tokio::test]
async fn two_watchers_decide_about_every_failure_exactly_once() {
    let world = World::new().await;
    let first = world.failed(1, true).await;
    // As many again by copying: half of them for the dead letters.
    world
        .execute(&format!(
            "INSERT INTO jobs_live (merchant_id, id, state, run_at, scheduled_for, created_at, queue, lane, priority,
                                    attempt, crashes, max_attempts, timeout_ms, target, retryable, failed_at)
             SELECT merchant_id, gen_random_uuid(), state, run_at, scheduled_for, created_at, queue, lane, priority,
                    attempt, crashes, max_attempts, timeout_ms, target, n % 2 = 0, clock_timestamp()
               FROM jobs_live, generate_series(1, 499) AS n WHERE id = '{first}'"
        ))
        .await;
    let config = VerdictsConfig { batch: 40, ..CONFIG };
    let watcher = || Verdicts::new(&world.stores, world.announcer.clone(), config, Wake::new());
    let (mut one, mut two) = (watcher(), watcher());
    while world.number("SELECT count(*) FROM jobs_live WHERE state = 'failed'").await > 0 {
        let (one, two) = tokio::join!(one.tick(), two.tick());
        one.unwrap();
        two.unwrap();
    }
    assert_eq!(world.number("SELECT count(*) FROM jobs_live WHERE state = 'retrying' AND attempt = 1").await, 250);
    assert_eq!(world.number("SELECT count(*) FROM jobs_finished WHERE state = 'dead'").await, 250);
    assert_eq!(world.number("SELECT count(DISTINCT id) FROM jobs_finished").await, 250);
    assert_eq!(world.number("SELECT count(*) FROM alert_outbox").await, 1, "one incident is told of once");
    assert_eq!(world.number("SELECT alerts FROM incidents").await, 250, "and counts them all");
}

#[tokio::test]
async fn a_row_that_cannot_be_written_hides_no_other() {
    let world = World::new().await;
    let poison = world.failed(1, true).await;
    let mut others = Vec::new();
    for _ in 0..25 {
        others.push(world.failed(1, true).await);
    }
    world
        .execute(&format!(
            "ALTER TABLE jobs_live ADD CONSTRAINT poison CHECK (NOT (id = '{poison}' AND state = 'retrying'))"
        ))
        .await;
    let config = VerdictsConfig { batch: 10, ..CONFIG };
    pump(&mut Verdicts::new(&world.stores, world.announcer.clone(), config, Wake::new())).await;
    assert_eq!(world.number("SELECT count(*) FROM jobs_live WHERE state = 'retrying'").await, 25);
    assert_eq!(world.state(poison).await, "failed");
}

#[tokio::test]
async fn populators_hear_when_the_next_attempt_is_due_and_when_a_parent_has_ended() {
    let world = World::new().await;
    let topics = [Topic::Due, Topic::Ending];
    let mut hints = HintReceiver::subscribe(&world.redis.redis().await, &topics).await.unwrap();
    let (job, parent) = (failed_at_noon(&world, 1, 0, None).await, world.failed(1, false).await);
    world.execute(&format!("UPDATE jobs_live SET has_dependents = true WHERE id = '{parent}'")).await;
    pump(&mut duty(&world)).await;
    let mut next = async || tokio::time::timeout(Duration::from_secs(5), hints.next()).await.unwrap();
    let Hint::Due(due) = next().await else { panic!("no due hint") };
    assert_eq!(due[0].member.job, job);
    assert_eq!(due[0].run_at.to_rfc3339(), "2026-06-01T12:00:00.500+00:00");
    assert_eq!(next().await, Hint::Ending);
    assert_eq!(world.number("SELECT count(*) FROM parent_endings").await, 1);
}
