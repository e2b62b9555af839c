//! Caps under concurrent claims, results, hand-backs, reaping and changes of settings: never exceeded, never leaked.

use crate::world::World;
use scheduler_core::domain::{ExecutionResult, JobId, SessionId};
use scheduler_core::store::queue_settings::QueueChange;
use scheduler_core::store::transitions::claim::{ClaimAnswer, ClaimKey};
use scheduler_core::store::transitions::reap::ReapOptions;
use scheduler_core::store::transitions::results::AttemptReport;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use test_support::seed::{self, JobSeed};

const KEPT: Duration = Duration::from_secs(600);

/// A claimer with its own session that asks for jobs by chance, and ends what it gets in one way or another.
async fn work(world: Arc<World>, jobs: Arc<Vec<JobId>>, rounds: usize, index: usize) {
    let claims = world.db.claims_store();
    let session = SessionId::random();
    claims.open_session(session, "test", 1, &[]).await.unwrap();
    for round in 0..rounds {
        let wishes: Vec<ClaimKey> =
            (0..12).map(|n| world.key(jobs[(index * 7 + round * 13 + n * 5) % jobs.len()])).collect();
        let answers = claims.claim(session, &wishes, Duration::ZERO).await.unwrap();
        let granted = |answer: &ClaimAnswer| matches!(answer, ClaimAnswer::Granted(_));
        let held: Vec<ClaimKey> = answers.iter().filter(|c| granted(&c.answer)).map(|c| c.key).collect();
        if held.is_empty() {
            continue;
        }
        match (index + round) % 3 {
            0 => {
                world.results.hand_back(&held).await.unwrap();
            }
            1 => {
                let now = seed::database_now(world.store()).await;
                let report = |key: &ClaimKey| AttemptReport {
                    key: *key,
                    session,
                    started_at: now,
                    finished_at: now,
                    result: ExecutionResult::failure("again", true),
                };
                let reports: Vec<_> = held.iter().map(report).collect();
                world.results.record_results(&reports).await.unwrap();
                world.execute("UPDATE jobs_live SET state = 'retrying', retryable = NULL, failed_at = NULL WHERE state = 'failed'").await;
            }
            _ => {
                // Its claims are as good as lost.
                let nobody = SessionId::random();
                for key in &held {
                    world
                        .execute(&format!("UPDATE claims SET session_id = '{nobody}' WHERE token = '{}'", key.token))
                        .await;
                }
                world.results.reap(&held, &ReapOptions { max_crashes: 1_000, spread: Duration::ZERO }).await.unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn caps_are_never_exceeded_and_nothing_leaks() {
    let world = Arc::new(World::new().await);
    let change = QueueChange { concurrency: Some(Some(5)), ..QueueChange::default() };
    world.store().change_queue(world.merchant, "default", &change).await.unwrap();
    world.store().set_merchant_concurrency(world.merchant, Some(7)).await.unwrap();
    world.store().ensure_queues(world.merchant, &["other"]).await.unwrap();
    let mut jobs = Vec::new();
    for n in 0..60 {
        let queue = if n % 3 == 0 { "other" } else { "default" };
        let concurrency_key = (n % 2 == 0).then(|| format!("k{}", n % 8));
        let seed = JobSeed { queue: queue.to_owned(), concurrency_key, ..JobSeed::due(world.merchant) };
        jobs.push(seed.insert(world.store()).await);
    }
    let jobs = Arc::new(jobs);
    let workers: Vec<_> = (0..6).map(|n| tokio::spawn(work(world.clone(), jobs.clone(), 25, n))).collect();
    let done = Arc::new(AtomicBool::new(false));
    let watching = tokio::spawn(watch(world.clone(), done.clone()));
    for worker in workers {
        worker.await.unwrap();
    }
    done.store(true, Ordering::Release);
    let most = watching.await.unwrap();
    assert!(most > 0, "something ran");
    let checked = world.store().check_caps(KEPT).await.unwrap();
    assert_eq!((checked.drifted, checked.adopted), (0, 0));
    assert_eq!(world.counted().await, 0);
}

/// Looks at what runs, again and again: one snapshot each. Returns the most that it saw.
async fn watch(world: Arc<World>, done: Arc<AtomicBool>) -> i64 {
    let mut most = 0;
    while !done.load(Ordering::Acquire) {
        let over = "SELECT count(*) FROM (
                        SELECT 1 FROM claims HAVING count(*) > 7
                        UNION ALL
                        SELECT 1 FROM claims c JOIN jobs_live j ON j.id = c.job_id WHERE j.queue = 'default' HAVING count(*) > 5
                        UNION ALL
                        SELECT 1 FROM claims c JOIN jobs_live j ON j.id = c.job_id WHERE j.concurrency_key IS NOT NULL
                         GROUP BY j.queue, j.concurrency_key HAVING count(*) > 1) over";
        assert_eq!(world.number(over).await, 0);
        most = most.max(world.number("SELECT count(*) FROM claims").await);
    }
    most
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_that_is_set_while_jobs_are_claimed_counts_all_of_them() {
    let world = Arc::new(World::new().await);
    for round in 1..=8_i32 {
        let queue = format!("q{round}");
        world.store().ensure_queues(world.merchant, &[&queue]).await.unwrap();
        let mut jobs = Vec::new();
        for _ in 0..30 {
            jobs.push(JobSeed { queue: queue.clone(), ..JobSeed::due(world.merchant) }.insert(world.store()).await);
        }
        let claiming = tokio::spawn({
            let world = world.clone();
            async move {
                for chunk in jobs.chunks(2) {
                    let keys: Vec<_> = chunk.iter().map(|job| world.key(*job)).collect();
                    world.claim(&keys).await;
                }
            }
        });
        let change = QueueChange { concurrency: Some(Some(5)), ..QueueChange::default() };
        world.store().change_queue(world.merchant, &queue, &change).await.unwrap();
        // From the answer on the counter knows everything that runs.
        let differs = format!(
            "SELECT abs((SELECT count(*) FROM claims c JOIN jobs_live j ON j.id = c.job_id WHERE j.queue = '{queue}')
                      - coalesce((SELECT running FROM cap_counters WHERE cap = 'queue:{queue}'), 0))"
        );
        assert_eq!(world.number(&differs).await, 0, "round {round}");
        claiming.await.unwrap();
        assert_eq!(world.number(&differs).await, 0, "round {round}, at the end");
    }
    let checked = world.store().check_caps(KEPT).await.unwrap();
    assert_eq!((checked.drifted, checked.adopted), (0, 0));
}
