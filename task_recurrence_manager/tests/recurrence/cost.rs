//! A tick costs what is due, not what is stored.

use crate::world::{World, drain};
use scheduler_core::reconcile::{Progress, Reconcile};
use scheduler_core::store::{Store, StoreOptions, StoreRole};
use std::time::Duration;
use test_support::{eventually, sql};

/// Copies of one template; every `due_every`-th is due in half a minute, the others tomorrow.
async fn many(world: &World, count: usize, due_every: usize) {
    let copies = format!(
        "INSERT INTO templates (merchant_id, id, name, schedule, job, cursor_at, next_at, created_at, updated_at)
         SELECT '{}', gen_random_uuid(), 't' || n, jsonb_build_object('kind', 'cron', 'expression',
                    CASE WHEN n % {due_every} = 0 THEN '30 0 10 * * *' ELSE '0 9 * * *' END),
                '{{\"target\":{{\"kind\":\"noop\"}},\"payload\":\"' || repeat('x', 400) || '\"}}',
                '2026-05-04T10:00:00Z',
                CASE WHEN n % {due_every} = 0 THEN '2026-05-04T10:00:30Z' ELSE '2026-05-05T09:00:00Z' END::timestamptz,
                '2026-05-04T10:00:00Z', '2026-05-04T10:00:00Z'
           FROM generate_series(1, {count}) AS n;
         ANALYZE templates",
        world.merchant
    );
    sql::execute(world.store(), &copies).await;
}

#[tokio::test]
async fn two_thousand_templates_of_which_ten_are_due() {
    let world = World::new().await;
    many(&world, 2000, 200).await;
    // A connection of its own: PostgreSQL counts what it did once it has ended.
    let options = StoreOptions::new(world.database.url(), StoreRole::Durable, 1, "counted");
    let store = Store::connect_lazy(&options).unwrap();
    let before = Counters::read(world.store()).await;
    let mut manager = world.manager_on(store.clone()).await;
    assert_eq!(manager.tick().await.unwrap(), Progress::Idle);
    assert_eq!(sql::number(world.store(), "SELECT count(*) FROM jobs_live").await, 10);
    drop(manager);
    store.close().await;

    let read = eventually(Duration::from_secs(20), || async {
        let now = Counters::read(world.store()).await;
        (now.by_due_index > before.by_due_index).then_some(now)
    })
    .await;
    assert_eq!(read.by_due_index - before.by_due_index, 10, "index entries read");
    assert_eq!(read.by_scan - before.by_scan, 0, "rows read by scanning the table");
}

/// Rows and index entries of `templates` read so far.
struct Counters {
    by_due_index: i64,
    by_scan: i64,
}

impl Counters {
    async fn read(store: &Store) -> Self {
        let index = "SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'templates_due'";
        let table = "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'templates'";
        Self { by_due_index: sql::number(store, index).await, by_scan: sql::number(store, table).await }
    }
}

#[tokio::test]
async fn two_thousand_due_templates_are_planned_in_bounded_steps() {
    let world = World::new().await;
    many(&world, 2000, 1).await;
    let mut manager = world.manager().await;
    assert_eq!(manager.tick().await.unwrap(), Progress::More);
    assert_eq!(sql::number(world.store(), "SELECT count(*) FROM jobs_live").await, 200, "batch_templates");
    assert_eq!(1 + drain(&mut manager).await, 10);
    assert_eq!(sql::number(world.store(), "SELECT count(*) FROM jobs_live").await, 2000);
}
