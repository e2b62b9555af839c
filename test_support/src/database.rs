//! A migrated database of its own for each test.

use crate::environment;
use scheduler_core::store::{Db, Store, StoreOptions, StoreRole};
use sqlx::{Connection, Executor, PgConnection};
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::OnceCell;

/// Copied for each test; migrated once per process.
static TEMPLATE: OnceCell<String> = OnceCell::const_new();
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A migrated, empty database; dropped with the value.
pub struct TestDatabase {
    url: String,
    name: String,
    store: Store,
    claims: Store,
}

impl TestDatabase {
    /// Makes the database.
    pub async fn new() -> Self {
        let template = TEMPLATE.get_or_init(make_template).await;
        let name = format!("ts_test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        // By files and not through the log: with some hundred small tables that takes half the time.
        execute_on_server(&format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")).await;
        let url = url_of(&name);
        let options = |role, max| StoreOptions::new(&url, role, max, "test");
        let store = Store::connect_lazy(&options(StoreRole::Durable, 8)).unwrap();
        let claims = Store::connect_lazy(&options(StoreRole::Claims, 4)).unwrap();
        Self { store, claims, url, name }
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A store for requests, sweeps and results.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// A store for claims and sessions.
    pub fn claims_store(&self) -> &Store {
        &self.claims
    }

    /// The durable store's pool, for looking at rows.
    pub fn pool(&self) -> &Db {
        self.store.pool()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // A runtime of its own: the test's may be on its way out.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(execute_on_server(&statement));
        });
        let _ignored_in_a_failing_test = dropped.join();
    }
}

async fn make_template() -> String {
    let name = format!("ts_template_{}", std::process::id());
    execute_on_server(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
    execute_on_server(&format!("CREATE DATABASE {name}")).await;
    let store = Store::connect_lazy(&StoreOptions::new(&url_of(&name), StoreRole::Durable, 1, "test")).unwrap();
    store.migrate().await.unwrap();
    store.close().await;
    name
}

fn url_of(database: &str) -> String {
    let base = environment("TEST_DATABASE_URL");
    let (server, _) = base.rsplit_once('/').expect("TEST_DATABASE_URL names a database");
    format!("{server}/{database}")
}

async fn execute_on_server(statement: &str) {
    let mut connection = PgConnection::connect(&environment("TEST_DATABASE_URL")).await.unwrap();
    // CREATE DATABASE fails while somebody else copies the same template; wait for our turn.
    connection.execute("SELECT pg_advisory_lock(7001)").await.unwrap();
    connection.execute(sqlx::AssertSqlSafe(statement.to_owned())).await.unwrap();
    connection.close().await.unwrap();
}
