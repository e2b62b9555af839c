use crate::world::{World, pump};
use scheduler_core::domain::{ExecutionResult, SessionId};
use scheduler_core::queue::hints::Topic;
use scheduler_core::queue::{Hint, HintReceiver};
use scheduler_core::reconcile::{Progress, Reconcile, Wake};
use scheduler_core::store::transitions::claim::ClaimKey;
use scheduler_core::store::transitions::reap::ReapOptions;
use scheduler_core::store::transitions::results::{Acceptance, AttemptReport};
use std::time::Duration;
use task_failure_watcher::{Reaper, ReaperConfig};
use test_support::seed::{self, JobSeed};

const CONFIG: ReaperConfig =
    ReaperConfig { batch: 100, per_second: 1_000_000, max_crashes: 10, lost_after: Duration::from_secs(8) };
const OPTIONS: ReapOptions = ReapOptions { max_crashes: 10, spread: Duration::ZERO };

fn reaper(world: &World, config: ReaperConfig) -> Reaper {
    Reaper::new(&world.stores, world.announcer.clone(), config, Wake::new())
}

#[tokio::test]
async fn a_lost_attempt_costs_a_crash_and_the_job_waits_again_at_once() {
    let world = World::new().await;
    let job = world.job().await;
    let claims = world.lost_session(&[job]).await;
    pump(&mut reaper(&world, CONFIG)).await;
    let token = claims[0].token;
    let waits = world
        .number(&format!(
            "SELECT count(*) FROM jobs_live WHERE id = '{job}' AND state = 'retrying' AND attempt = 1 AND crashes = 1
                AND run_at <= clock_timestamp() AND last_error IS NOT NULL"
        ))
        .await;
    assert_eq!(waits, 1);
    let recorded = format!(
        "SELECT count(*) FROM executions WHERE id = '{token}' AND job_id = '{job}' AND attempt = 1
            AND outcome = 'lost' AND started_at <= finished_at"
    );
    assert_eq!(world.number(&recorded).await, 1);
    assert_eq!(world.number("SELECT count(*) FROM claims").await, 0);
    // And it can be claimed again: the next attempt is the second.
    let session = world.session().await;
    world.claim(session, &[job]).await;
}

#[tokio::test]
async fn a_claim_without_any_session_is_lost_too() {
    let world = World::new().await;
    let job = world.job().await;
    world.lost_session(&[job]).await;
    world.execute("DELETE FROM sessions").await;
    pump(&mut reaper(&world, CONFIG)).await;
    assert_eq!(world.state(job).await, "retrying");
}

#[tokio::test]
async fn living_sessions_keep_their_claims() {
    let world = World::new().await;
    let job = world.job().await;
    let session = world.session().await;
    let claims = world.claim(session, &[job]).await;
    // Silent, but nobody has declared it lost.
    world.execute("UPDATE sessions SET renewed_at = clock_timestamp() - interval '1 hour'").await;
    pump(&mut reaper(&world, CONFIG)).await;
    assert_eq!(world.stores.edges.reap(&claims, &OPTIONS).await.unwrap().jobs(), 0);
    assert_eq!(world.number("SELECT count(*) FROM claims").await, 1);
    assert_eq!(world.state(job).await, "scheduled");
}

#[tokio::test]
async fn keys_held_inside_a_transaction_get_a_minute() {
    let world = World::new().await;
    let job = world.job().await;
    let nil = SessionId(uuid::Uuid::nil());
    world
        .execute(&format!(
            "INSERT INTO claims VALUES ('{}', '{job}', gen_random_uuid(), '{nil}', clock_timestamp())",
            world.merchant
        ))
        .await;
    pump(&mut reaper(&world, CONFIG)).await;
    assert_eq!(world.number("SELECT count(*) FROM claims").await, 1);
    world.execute("UPDATE claims SET granted_at = clock_timestamp() - interval '61 seconds'").await;
    pump(&mut reaper(&world, CONFIG)).await;
    assert_eq!(world.number("SELECT count(*) FROM claims").await, 0);
    assert_eq!(world.state(job).await, "retrying");
}

#[tokio::test]
async fn a_job_that_was_called_off_is_cancelled_instead() {
    let world = World::new().await;
    let job = world.job().await;
    world.lost_session(&[job]).await;
    world.execute("UPDATE jobs_live SET cancel_requested_at = clock_timestamp(), crashes = 0").await;
    // Cancelled even where it would be dead otherwise.
    pump(&mut reaper(&world, ReaperConfig { max_crashes: 0, ..CONFIG })).await;
    assert_eq!(world.state(job).await, "cancelled");
    assert_eq!(world.reason(job).await.as_deref(), Some("cancelled"));
    assert_eq!(world.number("SELECT count(*) FROM executions WHERE outcome = 'lost'").await, 1);
    assert_eq!(world.number("SELECT count(*) FROM alert_outbox").await, 0);
}

#[tokio::test]
async fn too_many_crashes_are_a_dead_letter_with_an_alert() {
    let world = World::new().await;
    let spent = JobSeed { attempt: 3, crashes: 2, state: "retrying", ..JobSeed::due(world.merchant) };
    let (job, fresh) = (spent.insert(world.store()).await, world.job().await);
    world.lost_session(&[job, fresh]).await;
    pump(&mut reaper(&world, ReaperConfig { max_crashes: 2, ..CONFIG })).await;
    assert_eq!(world.state(job).await, "dead");
    assert_eq!(world.reason(job).await.as_deref(), Some("crashed"));
    assert_eq!(world.state(fresh).await, "retrying");
    let alerted = format!(
        "SELECT count(*) FROM alert_outbox WHERE kind = 'job.dead' AND dedupe_key = 'job.dead:queue:default'
            AND body::jsonb->'data'->>'job_id' = '{job}' AND body::jsonb->'data'->>'reason' = 'crashed'
            AND (body::jsonb->'data'->>'attempts')::int = 4 AND (body::jsonb->'data'->>'crashes')::int = 3"
    );
    assert_eq!(world.number(&alerted).await, 1);
    assert_eq!(world.number("SELECT count(*) FROM alert_outbox").await, 1);
    let counts = format!("SELECT count(*) FROM jobs_finished WHERE id = '{job}' AND attempt = 4 AND crashes = 3");
    assert_eq!(world.number(&counts).await, 1);
}

async fn success(world: &World, claim: &ClaimKey) -> AttemptReport {
    let now = seed::database_now(world.store()).await;
    let session = SessionId::random();
    AttemptReport { key: *claim, session, started_at: now, finished_at: now, result: ExecutionResult::success() }
}

#[tokio::test]
async fn of_a_result_and_the_reaper_the_first_wins() {
    let world = World::new().await;
    let jobs = world.jobs(2).await;
    let claims = world.lost_session(&jobs).await;
    // Read while both were there; then one result arrives.
    let page = world.store().lost_claims(None, 10).await.unwrap();
    assert_eq!(page.len(), 2);
    let first = world.store().record_results(&[success(&world, &claims[0]).await]).await.unwrap();
    assert_eq!(first[0].acceptance, Acceptance::Accepted);
    let reaped = world.stores.edges.reap(&page, &OPTIONS).await.unwrap();
    assert_eq!(reaped.retried.iter().map(|retried| retried.job).collect::<Vec<_>>(), [jobs[1]]);
    let second = world.store().record_results(&[success(&world, &claims[1]).await]).await.unwrap();
    assert_eq!(second[0].acceptance, Acceptance::Stale);
    assert_eq!(world.state(jobs[0]).await, "succeeded");
    assert_eq!(world.state(jobs[1]).await, "retrying");
    // Granted anew: the old token is nobody's any more.
    let session = world.session().await;
    world.claim(session, &[jobs[1]]).await;
    assert_eq!(world.stores.edges.reap(&page, &OPTIONS).await.unwrap().jobs(), 0);
}

#[tokio::test]
async fn many_claims_are_taken_back_page_by_page_each_once() {
    let world = World::new().await;
    let jobs = world.jobs(130).await;
    let living = world.jobs(30).await;
    let session = world.session().await;
    world.claim(session, &living).await;
    world.lost_session(&jobs).await;
    let ticks = pump(&mut reaper(&world, ReaperConfig { batch: 20, ..CONFIG })).await;
    assert!(ticks >= 7, "{ticks}");
    assert_eq!(world.number("SELECT count(*) FROM jobs_live WHERE state = 'retrying' AND attempt = 1").await, 130);
    assert_eq!(world.number("SELECT count(*) FROM executions").await, 130);
    assert_eq!(world.number("SELECT count(*) FROM claims").await, 30);
}

#[tokio::test]
async fn a_claim_that_cannot_be_taken_back_hides_no_other() {
    let world = World::new().await;
    let jobs = world.jobs(45).await;
    world.lost_session(&jobs).await;
    let poison = jobs[7];
    world
        .execute(&format!(
            "ALTER TABLE jobs_live ADD CONSTRAINT poison CHECK (NOT (id = '{poison}' AND state = 'retrying'))"
        ))
        .await;
    pump(&mut reaper(&world, ReaperConfig { batch: 10, ..CONFIG })).await;
    assert_eq!(world.number("SELECT count(*) FROM jobs_live WHERE state = 'retrying'").await, 44);
    assert_eq!(world.number("SELECT count(*) FROM executions").await, 44);
    assert_eq!(world.state(poison).await, "scheduled");
}

#[tokio::test]
async fn the_rate_is_capped() {
    let world = World::new().await;
    let jobs = world.jobs(60).await;
    world.lost_session(&jobs).await;
    // A fifth of a second's worth at once, then at the pace.
    let mut reaper = reaper(&world, ReaperConfig { per_second: 50, ..CONFIG });
    assert_eq!(reaper.tick().await.unwrap(), Progress::More);
    assert_eq!(world.number("SELECT count(*) FROM executions").await, 10);
    let started = std::time::Instant::now();
    pump(&mut reaper).await;
    assert_eq!(world.number("SELECT count(*) FROM executions").await, 60);
    assert!(started.elapsed() >= Duration::from_millis(700), "{:?}", started.elapsed());
}

#[tokio::test]
async fn two_reapers_share_the_work_and_take_nothing_twice() {
    let world = World::new().await;
    let jobs = world.jobs(200).await;
    world.lost_session(&jobs).await;
    let config = ReaperConfig { batch: 30, ..CONFIG };
    let (mut one, mut two) = (reaper(&world, config), reaper(&world, config));
    tokio::join!(pump(&mut one), pump(&mut two));
    // Pages that both had in hand may have been passed over by one; the next round finds what is left.
    tokio::join!(pump(&mut one), pump(&mut two));
    assert_eq!(world.number("SELECT count(*) FROM claims").await, 0);
    assert_eq!(world.number("SELECT count(*) FROM executions").await, 200);
    assert_eq!(world.number("SELECT count(*) FROM jobs_live WHERE attempt = 1 AND crashes = 1").await, 200);
}

#[tokio::test]
async fn populators_hear_of_jobs_that_wait_again() {
    let world = World::new().await;
    let mut hints = HintReceiver::subscribe(&world.redis.redis().await, &[Topic::Due]).await.unwrap();
    let job = world.job().await;
    world.lost_session(&[job]).await;
    pump(&mut reaper(&world, CONFIG)).await;
    let heard = tokio::time::timeout(Duration::from_secs(5), hints.next()).await.unwrap();
    let Hint::Due(due) = heard else { panic!("{heard:?}") };
    assert_eq!((due[0].member.merchant, due[0].member.job), (world.merchant, job));
    assert_eq!((due[0].priority, due[0].lane.as_str()), (5, "default"));
}

#[tokio::test]
async fn overdue_leases_are_those_that_nobody_reaps() {
    let world = World::new().await;
    let jobs = world.jobs(3).await;
    let bound = Duration::from_secs(8);
    let living = world.session().await;
    world.claim(living, &jobs[..1]).await;
    world.lost_session(&jobs[1..2]).await;
    assert_eq!(world.store().overdue_leases(bound).await.unwrap(), 0);
    world.execute("UPDATE sessions SET lost_at = lost_at - interval '17 seconds' WHERE lost_at IS NOT NULL").await;
    assert_eq!(world.store().overdue_leases(bound).await.unwrap(), 1);
    // Silent for 25 s and still not declared lost.
    world.execute("UPDATE sessions SET renewed_at = renewed_at - interval '25 seconds' WHERE lost_at IS NULL").await;
    assert_eq!(world.store().overdue_leases(bound).await.unwrap(), 2);
}
