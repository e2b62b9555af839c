use crate::world::{World, pump};
use scheduler_core::store::partitions::DayTable;
use std::time::Duration;
use task_failure_watcher::{Partitions, Retention};
use test_support::eventually;

const RETENTION: Retention = Retention { ahead_days: 3, finished_days: 30, dead_days: 90 };

/// A partition that many days from today.
fn partition(table: &str, days: i32) -> String {
    format!("'{table}_' || to_char((clock_timestamp() AT TIME ZONE 'UTC')::date + ({days}), 'YYYYMMDD')")
}

async fn exists(world: &World, table: &str, days: i32) -> bool {
    world.number(&format!("SELECT count(to_regclass({}))", partition(table, days))).await == 1
}

async fn make(world: &World, days: i32) {
    world.number(&format!("SELECT ensure_day_partitions(current_date + ({days}))::bigint")).await;
}

/// Counts the locks on a table; other databases of the server have tables with the same number.
fn locks_on(table: &str) -> String {
    format!(
        "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
          WHERE l.relation = '{table}'::regclass AND l.granted"
    )
}

#[tokio::test]
async fn the_days_to_come_have_their_partitions() {
    let world = World::new().await;
    // The migration has made a week.
    let mut duty = Partitions::new(world.store().clone(), Retention { ahead_days: 9, ..RETENTION });
    assert!(!exists(&world, "executions", 9).await);
    pump(&mut duty).await;
    for table in DayTable::ALL {
        for day in 0..=9 {
            assert!(exists(&world, table.name(), day).await, "{} {day}", table.name());
        }
    }
    assert_eq!(world.store().ensure_partitions(9).await.unwrap().made, []);
}

#[tokio::test]
async fn two_watchers_make_them_at_the_same_time() {
    let world = World::new().await;
    let duty = || Partitions::new(world.store().clone(), Retention { ahead_days: 12, ..RETENTION });
    let (mut one, mut two) = (duty(), duty());
    tokio::join!(pump(&mut one), pump(&mut two));
    assert!(exists(&world, "occurrences", 12).await);
}

#[tokio::test]
async fn one_day_that_cannot_be_made_keeps_no_other_from_being_made() {
    let world = World::new().await;
    let executions = |day: i32| {
        format!(
            "INSERT INTO executions (merchant_id, job_id, id, session_id, started_at, finished_at, attempt, outcome)
             SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), at, at, 1, 'failed'
               FROM (SELECT clock_timestamp() + interval '{day} days' AS at) AS x"
        )
    };
    // A row of the ninth day is in the default partition already.
    world.execute(&executions(9)).await;
    let outcome = world.store().ensure_partitions(10).await.unwrap();
    assert_eq!(outcome.failed.len(), 1);
    assert!(exists(&world, "executions", 8).await && exists(&world, "executions", 10).await);
    assert!(!exists(&world, "executions", 9).await);
    // A duty lives with it, and rows are written all the same.
    pump(&mut Partitions::new(world.store().clone(), Retention { ahead_days: 10, ..RETENTION })).await;
    world.execute(&executions(9)).await;
    assert_eq!(world.store().rows_in_default(DayTable::Executions, 10).await.unwrap(), 2);
    assert_eq!(world.store().rows_in_default(DayTable::Executions, 1).await.unwrap(), 1);
}

#[tokio::test]
async fn records_that_were_written_ahead_move_to_their_day() {
    let world = World::new().await;
    let ahead = |day: i32| {
        format!(
            "INSERT INTO occurrences (merchant_id, template_id, nominal_at, outcome, version)
             VALUES (gen_random_uuid(), gen_random_uuid(), clock_timestamp() + interval '{day} days', 'skipped_user', 1)"
        )
    };
    for day in [8, 9, 400] {
        world.execute(&ahead(day)).await;
    }
    assert_eq!(world.store().rows_in_default(DayTable::Occurrences, 10).await.unwrap(), 3);
    let outcome = world.store().ensure_partitions(9).await.unwrap();
    assert!(outcome.failed.is_empty(), "{:?}", outcome.failed);
    assert!(exists(&world, "occurrences", 8).await && exists(&world, "occurrences", 9).await);
    assert_eq!(world.store().rows_in_default(DayTable::Occurrences, 10).await.unwrap(), 1);
    assert_eq!(world.number("SELECT count(*) FROM occurrences WHERE outcome = 'skipped_user'").await, 3);
}

#[tokio::test]
async fn what_is_older_than_the_retention_is_dropped_whole() {
    let world = World::new().await;
    for days in [-30, -31, -90, -91] {
        make(&world, days).await;
    }
    pump(&mut Partitions::new(world.store().clone(), RETENTION)).await;
    let kept = [("jobs_finished_other", -30), ("occurrences", -30), ("jobs_finished_dead", -90), ("executions", -90)];
    for (table, last) in kept {
        assert!(exists(&world, table, last).await, "{table} {last}");
        assert!(exists(&world, table, 0).await, "{table} today");
        assert!(!exists(&world, table, last - 1).await, "{table} {}", last - 1);
    }
    // The default partitions are nobody's day.
    assert_eq!(world.number("SELECT count(to_regclass('executions_default'))").await, 1);
}

#[tokio::test]
async fn a_busy_table_is_left_alone_until_it_can_be_had() {
    let world = World::new().await;
    make(&world, -100).await;
    let old = world.store().droppable_partitions(DayTable::JobsFinishedOther, 30).await.unwrap();
    assert_eq!(old.len(), 1);
    let store = world.store().clone();
    let reader = tokio::spawn(async move {
        let held = "BEGIN; LOCK TABLE jobs_finished_other IN ACCESS SHARE MODE; SELECT pg_sleep(1.5); COMMIT";
        test_support::sql::execute(&store, held).await;
    });
    let locked = locks_on("jobs_finished_other");
    eventually(Duration::from_secs(5), || async { (world.number(&locked).await > 0).then_some(()) }).await;
    assert!(!world.store().drop_partition(&old[0]).await.unwrap());
    // Nobody was kept waiting: what needs less than the whole table gets it.
    assert_eq!(world.number("SELECT count(*) FROM jobs_finished").await, 0);
    reader.await.unwrap();
    assert!(world.store().drop_partition(&old[0]).await.unwrap());
    // Somebody else has dropped it by now: just as well.
    assert!(world.store().drop_partition(&old[0]).await.unwrap());
    assert!(!exists(&world, "jobs_finished_other", -100).await);
}

#[tokio::test]
async fn old_rows_of_the_default_partition_go_too() {
    let world = World::new().await;
    world
        .execute(
            "INSERT INTO occurrences (merchant_id, template_id, nominal_at, outcome, version)
             SELECT gen_random_uuid(), gen_random_uuid(), clock_timestamp() - n * interval '10 days', 'missed_window', 1
               FROM generate_series(1, 5) AS n",
        )
        .await;
    assert_eq!(world.store().rows_in_default(DayTable::Occurrences, 100).await.unwrap(), 5);
    pump(&mut Partitions::new(world.store().clone(), RETENTION)).await;
    assert_eq!(world.store().rows_in_default(DayTable::Occurrences, 100).await.unwrap(), 3);
}

#[tokio::test]
async fn a_new_day_waits_for_a_busy_default_partition_only_briefly() {
    let world = World::new().await;
    let store = world.store().clone();
    let reader = tokio::spawn(async move {
        let held = "BEGIN; LOCK TABLE executions_default IN ACCESS SHARE MODE; SELECT pg_sleep(1.5); COMMIT";
        test_support::sql::execute(&store, held).await;
    });
    let locked = locks_on("executions_default");
    eventually(Duration::from_secs(5), || async { (world.number(&locked).await > 0).then_some(()) }).await;
    let outcome = world.store().ensure_partitions(8).await.unwrap();
    assert_eq!((outcome.busy.len(), outcome.made.len()), (1, 0));
    reader.await.unwrap();
    let outcome = world.store().ensure_partitions(8).await.unwrap();
    assert_eq!((outcome.busy.len(), outcome.made.len()), (0, 4));
}
