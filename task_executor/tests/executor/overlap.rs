//! Several jobs of one template: who may start, who is skipped, who waits, who makes way.

use crate::support::World;
use scheduler_core::domain::{ExecutionResult, JobId, Outcome, SessionId};
use scheduler_core::store::transitions::claim::{ClaimAnswer, ClaimKey};
use scheduler_core::store::transitions::overlap::{Displaced, Verdict};
use test_support::seed::{JobSeed, database_now};
use test_support::sql;
use uuid::Uuid;

/// A template's jobs in a world.
struct Jobs {
    world: World,
    session: SessionId,
    seed: JobSeed,
}

impl Jobs {
    async fn new(overlap: &'static str, limit: i32) -> Self {
        let world = World::new().await;
        let session = world.session().await;
        let seed = JobSeed {
            template: Some(Uuid::new_v4()),
            overlap: Some(overlap),
            template_limit: Some(limit),
            ..JobSeed::due(world.merchant)
        };
        Self { world, session, seed }
    }

    /// A job that has been due for so many seconds, with its record.
    async fn due_since(&self, seconds: f64) -> JobId {
        let id = JobId(Uuid::now_v7());
        let job = JobSeed { id, due_in_seconds: -seconds, ..self.seed.clone() }.insert(self.world.db.store()).await;
        let record = format!(
            "INSERT INTO occurrences (merchant_id, template_id, nominal_at, outcome, job_id, version)
             SELECT merchant_id, template_id, scheduled_for, 'dispatched', id, 1 FROM jobs_live WHERE id = '{job}'"
        );
        self.world.execute(&record).await;
        job
    }

    async fn try_to_start(&self, job: JobId) -> Result<ClaimKey, &'static str> {
        let claimed = self.world.claim(self.session, &[self.world.key(job)]).await.pop().unwrap();
        match claimed.answer {
            ClaimAnswer::Granted(granted) => Ok(granted.key),
            ClaimAnswer::Overlap => Err("overlap"),
            ClaimAnswer::OverCap => Err("over_cap"),
            other => panic!("{other:?}"),
        }
    }

    async fn succeed(&self, key: ClaimKey) {
        let report = self.world.report(key, self.session, ExecutionResult::success()).await;
        self.world.results.record_results(&[report]).await.unwrap();
    }

    async fn verdict(&self, job: JobId) -> Option<Verdict> {
        self.world.db.store().overlap_verdict(self.world.merchant, job).await.unwrap()
    }

    /// What the populator's duty would do, by job.
    async fn judged(&self) -> Vec<(JobId, Verdict)> {
        let store = self.world.db.store();
        let page = store.due_overlaps(database_now(store).await, None, 100).await.unwrap();
        page.judged.into_iter().map(|(_, job, verdict)| (job, verdict)).collect()
    }

    async fn displace_for(&self, job: JobId) -> Displaced {
        self.world.db.store().displace_others(self.world.merchant, job).await.unwrap()
    }

    /// Outcome and reason of a job's record.
    async fn record_of(&self, job: JobId) -> (String, Option<String>) {
        let column = |name: &str| format!("SELECT {name} FROM occurrences WHERE job_id = '{job}'");
        let store = self.world.db.store();
        let outcome = sql::text(store, &column("outcome")).await;
        (outcome.unwrap(), sql::text(store, &column("reason")).await)
    }
}

#[tokio::test]
async fn buffered_jobs_start_in_order_one_after_the_other() {
    let jobs = Jobs::new("buffer_all", 1).await;
    let all = [jobs.due_since(30.0).await, jobs.due_since(20.0).await, jobs.due_since(10.0).await];
    assert_eq!(jobs.judged().await, [(all[1], Verdict::Wait), (all[2], Verdict::Wait)]);
    for (place, job) in all.into_iter().enumerate() {
        for later in &all[place + 1..] {
            assert_eq!(jobs.try_to_start(*later).await, Err("overlap"));
        }
        let running = jobs.try_to_start(job).await.unwrap();
        for later in &all[place + 1..] {
            assert_eq!(jobs.try_to_start(*later).await, Err("overlap"), "while the one before runs");
        }
        jobs.succeed(running).await;
    }
    assert_eq!(jobs.world.number("SELECT sum(running) FROM cap_counters").await, 0);
}

#[tokio::test]
async fn one_waits_and_what_falls_due_meanwhile_is_skipped() {
    let jobs = Jobs::new("buffer_one", 1).await;
    let all = [jobs.due_since(30.0).await, jobs.due_since(20.0).await, jobs.due_since(10.0).await];
    assert_eq!(jobs.judged().await, [(all[1], Verdict::Wait), (all[2], Verdict::Skip)]);
    let named = all.map(|job| (jobs.world.merchant, job));
    let skipped = jobs.world.db.store().skip_overlaps(&named).await.unwrap();
    assert_eq!(skipped, [named[2]]);
    assert_eq!(jobs.record_of(all[2]).await.0, "skipped_overlap");
    let first = jobs.try_to_start(all[0]).await.unwrap();
    jobs.succeed(first).await;
    jobs.try_to_start(all[1]).await.unwrap();
}

#[tokio::test]
async fn as_many_run_as_may_run_at_once() {
    for policy in ["skip", "buffer_all"] {
        let jobs = Jobs::new(policy, 2).await;
        let all = [jobs.due_since(30.0).await, jobs.due_since(20.0).await, jobs.due_since(10.0).await];
        let first = jobs.try_to_start(all[0]).await.unwrap();
        jobs.try_to_start(all[1]).await.unwrap();
        assert_eq!(jobs.try_to_start(all[2]).await, Err("overlap"));
        let verdict = if policy == "skip" { Verdict::Skip } else { Verdict::Wait };
        assert_eq!(jobs.judged().await, [(all[2], verdict)], "{policy}");
        jobs.succeed(first).await;
        jobs.try_to_start(all[2]).await.unwrap();
    }
}

#[tokio::test]
async fn what_waits_is_neither_blocked_by_backfills_nor_by_what_is_not_due() {
    let jobs = Jobs::new("buffer_all", 1).await;
    let (backfill, moved, due) = (jobs.due_since(30.0).await, jobs.due_since(20.0).await, jobs.due_since(10.0).await);
    let statements = format!(
        "UPDATE jobs_live SET backfill_id = gen_random_uuid(), overlap = NULL, template_limit = NULL WHERE id = '{backfill}';
         UPDATE jobs_live SET run_at = clock_timestamp() + interval '1 hour' WHERE id = '{moved}'"
    );
    jobs.world.execute(&statements).await;
    assert_eq!(jobs.verdict(due).await, None);
    jobs.try_to_start(backfill).await.unwrap();
    let running = jobs.try_to_start(due).await.unwrap();
    // The moved one comes earlier by name; now that its time has come, the later one is in its way.
    jobs.world.execute(&format!("UPDATE jobs_live SET run_at = clock_timestamp() WHERE id = '{moved}'")).await;
    assert_eq!(jobs.try_to_start(moved).await, Err("overlap"));
    assert_eq!(jobs.verdict(moved).await, Some(Verdict::Wait));
    jobs.succeed(running).await;
    jobs.try_to_start(moved).await.unwrap();
}

/// Moved to an earlier time, or run early by hand: once it has started it is in the way of those whose time comes.
#[tokio::test]
async fn one_that_was_let_run_before_its_time_is_in_the_way_once_it_has_started() {
    let jobs = Jobs::new("skip", 1).await;
    let (due, hurried) = (jobs.due_since(10.0).await, jobs.due_since(-600.0).await);
    jobs.world.execute(&format!("UPDATE jobs_live SET run_at = clock_timestamp() WHERE id = '{hurried}'")).await;
    assert_eq!(jobs.verdict(due).await, None, "not yet");
    jobs.world
        .execute(&format!("UPDATE jobs_live SET run_at = clock_timestamp() + interval '1 min' WHERE id = '{due}'"))
        .await;
    let running = jobs.try_to_start(hurried).await.unwrap();
    jobs.world.execute(&format!("UPDATE jobs_live SET run_at = scheduled_for WHERE id = '{due}'")).await;
    assert_eq!(jobs.verdict(due).await, Some(Verdict::Skip));
    assert_eq!(jobs.try_to_start(due).await, Err("overlap"));
    jobs.succeed(running).await;
    jobs.try_to_start(due).await.unwrap();
}

#[tokio::test]
async fn a_retry_is_not_judged_again() {
    let jobs = Jobs::new("skip", 1).await;
    let (first, second) = (jobs.due_since(30.0).await, jobs.due_since(20.0).await);
    jobs.world.execute(&format!("UPDATE jobs_live SET state = 'retrying', attempt = 1 WHERE id = '{second}'")).await;
    assert_eq!(jobs.verdict(second).await, None);
    let running = jobs.try_to_start(second).await.unwrap();
    assert_eq!(jobs.verdict(first).await, None, "the first comes before it and was due before");
    assert_eq!(jobs.try_to_start(first).await, Err("over_cap"), "but the limit holds");
    jobs.succeed(running).await;
}

#[tokio::test]
async fn a_running_one_is_asked_to_stop_for_the_later_one_which_then_starts() {
    for policy in ["cancel_other", "terminate_other"] {
        let jobs = Jobs::new(policy, 1).await;
        let (first, second) = (jobs.due_since(30.0).await, jobs.due_since(10.0).await);
        let running = jobs.try_to_start(first).await.unwrap();
        assert_eq!(jobs.judged().await, [(second, Verdict::Displace)]);
        let displaced = jobs.displace_for(second).await;
        assert_eq!(displaced.asked, [(jobs.world.merchant, first)]);
        assert_eq!(
            jobs.record_of(first).await.1.as_deref(),
            Some("asked to make way for the next one, by the overlap policy")
        );
        let again = jobs.displace_for(second).await;
        assert!(again.asked.is_empty() && again.skipped.is_empty() && again.cancelled.is_empty(), "asked once");
        assert_eq!(jobs.try_to_start(second).await, Err("overlap"), "until it has stopped");
        let stopped = ExecutionResult { outcome: Outcome::Cancelled, ..ExecutionResult::success() };
        let report = jobs.world.report(running, jobs.session, stopped).await;
        jobs.world.results.record_results(&[report]).await.unwrap();
        assert_eq!(jobs.world.state(first).await.as_deref(), Some("cancelled"));
        jobs.try_to_start(second).await.unwrap();
    }
}

#[tokio::test]
async fn the_latest_takes_the_place_of_those_that_have_not_started_or_wait_for_a_retry() {
    let jobs = Jobs::new("cancel_other", 1).await;
    let (retrying, unstarted, latest) =
        (jobs.due_since(30.0).await, jobs.due_since(20.0).await, jobs.due_since(10.0).await);
    let later = "UPDATE jobs_live SET state = 'retrying', attempt = 1, run_at = clock_timestamp() + interval '1 hour'";
    jobs.world.execute(&format!("{later} WHERE id = '{retrying}'")).await;
    let displaced = jobs.displace_for(latest).await;
    assert_eq!(displaced.cancelled, [(jobs.world.merchant, retrying)]);
    assert_eq!(displaced.skipped, [(jobs.world.merchant, unstarted)]);
    assert_eq!(jobs.world.state(retrying).await.as_deref(), Some("cancelled"));
    assert_eq!(jobs.world.state(unstarted).await.as_deref(), Some("skipped"));
    let (outcome, reason) = jobs.record_of(unstarted).await;
    assert_eq!((outcome.as_str(), reason.as_deref()), ("skipped_overlap", Some("a later one took its place")));
    assert_eq!(jobs.world.number("SELECT count(*) FROM claims").await, 0, "all keys were given back");
    jobs.try_to_start(latest).await.unwrap();
}

#[tokio::test]
async fn one_that_was_called_off_itself_displaces_nobody() {
    let jobs = Jobs::new("cancel_other", 1).await;
    let (first, second) = (jobs.due_since(30.0).await, jobs.due_since(10.0).await);
    let running = jobs.try_to_start(first).await.unwrap();
    jobs.world.db.store().cancel(jobs.world.merchant, second).await.unwrap();
    assert!(jobs.displace_for(second).await.asked.is_empty());
    jobs.succeed(running).await;
    assert_eq!(jobs.world.state(first).await.as_deref(), Some("succeeded"));
}

#[tokio::test]
async fn only_as_many_make_way_as_have_to() {
    let jobs = Jobs::new("cancel_other", 2).await;
    let all = [jobs.due_since(40.0).await, jobs.due_since(30.0).await, jobs.due_since(10.0).await];
    jobs.try_to_start(all[0]).await.unwrap();
    jobs.try_to_start(all[1]).await.unwrap();
    let displaced = jobs.displace_for(all[2]).await;
    assert_eq!(displaced.asked, [(jobs.world.merchant, all[0])], "the earliest");
}
