//! Jobs that wait for others.

use crate::world::World;
use scheduler_core::domain::JobId;
use test_support::seed::JobSeed;
use test_support::sql;

/// A blocked job that waits for `parents`.
async fn child(world: &World, run_if: &str, parents: &[JobId]) -> JobId {
    let seed = JobSeed { state: "blocked", due_in_seconds: -1.0, ..JobSeed::due(world.merchant) };
    let child = seed.id;
    // What it waits for comes first: a job that waits for nothing is free as soon as it is seen.
    for parent in parents {
        let edge = format!(
            "INSERT INTO job_dependencies VALUES ('{0}', '{child}', '{parent}');
             UPDATE jobs_live SET has_dependents = true WHERE merchant_id = '{0}' AND id = '{parent}'",
            world.merchant
        );
        sql::execute(world.store(), &edge).await;
    }
    seed.insert(world.store()).await;
    sql::execute(world.store(), &format!("UPDATE jobs_live SET run_if = '{run_if}' WHERE id = '{child}'")).await;
    child
}

/// A live job that no sweep pushes.
async fn parent(world: &World) -> JobId {
    JobSeed { due_in_seconds: 3600.0, ..JobSeed::due(world.merchant) }.insert(world.store()).await
}

/// Ends a live job; its trigger announces it.
async fn end(world: &World, job: JobId, state: &str) {
    let succeeded = state == "succeeded";
    let statement = format!(
        "WITH gone AS (DELETE FROM jobs_live WHERE id = '{job}' RETURNING *)
         INSERT INTO jobs_finished (merchant_id, id, run_at, scheduled_for, created_at, finished_at, priority, attempt, crashes,
                                    max_attempts, timeout_ms, is_dead, has_dependents, state, reason, queue, lane, target,
                                    execution_id, started_at, outcome)
         SELECT merchant_id, id, run_at, scheduled_for, created_at, clock_timestamp(), priority, 1, 0,
                max_attempts, timeout_ms, {dead}, has_dependents, '{state}', {reason}, queue, lane, target,
                {execution} FROM gone",
        dead = state == "dead",
        reason = if succeeded { "NULL" } else { "'because'" },
        execution = if succeeded { "gen_random_uuid(), clock_timestamp(), 'succeeded'" } else { "NULL, NULL, NULL" },
    );
    sql::execute(world.store(), &statement).await;
}

async fn rows(world: &World, table: &str) -> i64 {
    sql::number(world.store(), &format!("SELECT count(*) FROM {table}")).await
}

/// Judges everything that was announced, as the populator's loop does.
async fn judge(world: &World) {
    while world.store().judge_endings(100).await.unwrap().more {}
}

#[tokio::test]
async fn a_child_runs_at_once_when_its_parent_has_succeeded() {
    let (world, populator) = World::running().await;
    let parent = parent(&world).await;
    let child = child(&world, "all_succeeded", &[parent]).await;
    end(&world, parent, "succeeded").await;
    let popper = world.popper("default").await;
    assert_eq!(world.pop(&popper).await.job, child);
    assert_eq!(world.state(child).await, "scheduled");
    let due_now = format!("jobs_live WHERE id = '{child}' AND run_at > clock_timestamp() - interval '30 seconds'");
    assert_eq!(rows(&world, &due_now).await, 1, "a time that has passed becomes now");
    populator.stop().await;
    assert_eq!((rows(&world, "job_dependencies").await, rows(&world, "parent_endings").await), (0, 0));
}

#[tokio::test]
async fn a_failure_goes_down_a_chain_and_each_names_its_own_parent() {
    let (world, populator) = World::running().await;
    let first = parent(&world).await;
    let second = child(&world, "all_succeeded", &[first]).await;
    let third = child(&world, "all_succeeded", &[second]).await;
    end(&world, first, "dead").await;
    world.until_state(third, "skipped").await;
    for (job, why) in
        [(second, format!("parent {first} ended as dead")), (third, format!("parent {second} ended as skipped"))]
    {
        let finished =
            format!("jobs_finished WHERE id = '{job}' AND reason = 'dependency_failed' AND last_error = '{why}'");
        assert_eq!(rows(&world, &finished).await, 1, "{why}");
    }
    populator.stop().await;
    assert_eq!((rows(&world, "job_dependencies").await, rows(&world, "parent_endings").await), (0, 0));
}

#[tokio::test]
async fn the_last_parent_of_a_diamond_lets_its_end_run() {
    let world = World::new().await;
    let top = parent(&world).await;
    let left = child(&world, "all_succeeded", &[top]).await;
    let right = child(&world, "all_succeeded", &[top]).await;
    let bottom = child(&world, "all_succeeded", &[left, right]).await;
    end(&world, top, "succeeded").await;
    judge(&world).await;
    assert_eq!(
        [world.state(left).await, world.state(right).await, world.state(bottom).await],
        ["scheduled", "scheduled", "blocked"]
    );
    end(&world, left, "succeeded").await;
    judge(&world).await;
    assert_eq!(world.state(bottom).await, "blocked");
    end(&world, right, "succeeded").await;
    judge(&world).await;
    assert_eq!(world.state(bottom).await, "scheduled");
}

#[tokio::test]
async fn every_other_end_skips_a_child_that_wants_success_whatever_its_other_parents_do() {
    let world = World::new().await;
    for state in ["dead", "cancelled", "skipped", "expired"] {
        let (ended, live) = (parent(&world).await, parent(&world).await);
        let child = child(&world, "all_succeeded", &[ended, live]).await;
        end(&world, ended, state).await;
        judge(&world).await;
        assert_eq!(world.state(child).await, "skipped", "{state}");
    }
}

#[tokio::test]
async fn all_finished_waits_for_any_end_of_all() {
    let world = World::new().await;
    let (one, two) = (parent(&world).await, parent(&world).await);
    let child = child(&world, "all_finished", &[one, two]).await;
    end(&world, one, "dead").await;
    judge(&world).await;
    assert_eq!(world.state(child).await, "blocked");
    end(&world, two, "cancelled").await;
    judge(&world).await;
    assert_eq!(world.state(child).await, "scheduled");
}

#[tokio::test]
async fn a_success_that_was_seen_is_remembered_when_retention_has_dropped_the_parent() {
    let world = World::new().await;
    let (early, late) = (parent(&world).await, parent(&world).await);
    let child = child(&world, "all_succeeded", &[early, late]).await;
    end(&world, early, "succeeded").await;
    judge(&world).await;
    sql::execute(world.store(), &format!("DELETE FROM jobs_finished WHERE id = '{early}'")).await;
    end(&world, late, "succeeded").await;
    judge(&world).await;
    assert_eq!(world.state(child).await, "scheduled");
}

#[tokio::test]
async fn a_parent_that_vanished_unseen_proves_nothing() {
    let world = World::new().await;
    let vanished = JobId(uuid::Uuid::new_v4());
    let wants_success = child(&world, "all_succeeded", &[vanished]).await;
    let wants_an_end = child(&world, "all_finished", &[vanished]).await;
    let children = [wants_success, wants_an_end].map(|job| (world.merchant, job));
    let judged = world.store().judge_blocked(&children).await.unwrap();
    assert_eq!(judged.skipped, [(world.merchant, wants_success)]);
    assert_eq!(judged.unblocked.len(), 1);
    let why = format!("jobs_finished WHERE last_error = 'parent {vanished} does not exist any more'");
    assert_eq!(rows(&world, &why).await, 1);
}

#[tokio::test]
async fn what_an_announcement_missed_is_found_by_the_sweep() {
    let world = World::new().await;
    let (done, live) = (parent(&world).await, parent(&world).await);
    let free = child(&world, "all_succeeded", &[done]).await;
    let waiting = child(&world, "all_succeeded", &[live]).await;
    end(&world, done, "succeeded").await;
    sql::execute(world.store(), "DELETE FROM parent_endings").await;
    let first = world.store().ripe_blocked(None, 1).await.unwrap();
    assert!(first.next.is_some(), "a full page");
    let page = world.store().ripe_blocked(None, 10).await.unwrap();
    assert_eq!((page.ripe.clone(), page.next), (vec![(world.merchant, free)], None));
    let populator = world.start().await;
    world.until_state(free, "scheduled").await;
    assert_eq!(world.state(waiting).await, "blocked");
    populator.stop().await;
}

#[tokio::test]
async fn a_parent_of_hundreds_is_judged_in_portions_by_several_at_once() {
    let world = World::new().await;
    let (one, two) = (parent(&world).await, parent(&world).await);
    let first = child(&world, "all_succeeded", &[one, two]).await;
    let many = format!(
        "INSERT INTO jobs_live (merchant_id, id, state, run_at, scheduled_for, created_at, queue, lane, priority,
                                max_attempts, timeout_ms, target, run_if)
         SELECT merchant_id, gen_random_uuid(), 'blocked', run_at, run_at, run_at, queue, lane, priority, 5, 30000, target, run_if
           FROM jobs_live, generate_series(2, 300) WHERE id = '{first}';
         INSERT INTO job_dependencies
         SELECT c.merchant_id, c.id, p FROM jobs_live c, unnest(ARRAY['{one}', '{two}']::uuid[]) AS p WHERE c.state = 'blocked'
         ON CONFLICT DO NOTHING"
    );
    sql::execute(world.store(), &many).await;
    end(&world, one, "succeeded").await;
    end(&world, two, "succeeded").await;
    // Each takes one announcement and sees the same children: nobody may leave a child behind.
    let judge = || async {
        let mut unblocked = 0;
        loop {
            let judged = world.store().judge_endings(1).await.unwrap();
            unblocked += judged.unblocked.len();
            if !judged.more && rows(&world, "parent_endings").await == 0 {
                return unblocked;
            }
        }
    };
    let (a, b, c) = tokio::join!(judge(), judge(), judge());
    assert_eq!(a + b + c, 300);
    assert_eq!(rows(&world, "jobs_live WHERE state = 'blocked'").await, 0);
    assert_eq!(rows(&world, "job_dependencies").await, 0);
}

#[tokio::test]
async fn a_child_that_was_called_off_leaves_nothing_behind() {
    let world = World::new().await;
    let parent = parent(&world).await;
    let child = child(&world, "all_succeeded", &[parent]).await;
    sql::execute(world.store(), &format!("DELETE FROM jobs_live WHERE id = '{child}'")).await;
    end(&world, parent, "succeeded").await;
    judge(&world).await;
    assert_eq!((rows(&world, "job_dependencies").await, rows(&world, "parent_endings").await), (0, 0));
}
