//! The schema's version and how it gets there.

use super::{Store, StoreError, StoreResult};

static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../migrations");

/// Where a database stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SchemaVersion {
    /// Newest migration applied; 0 for an empty database.
    pub found: i64,
    /// Newest migration that this program knows.
    pub needed: i64,
}

impl Store {
    /// Applies what is missing. Any number of processes may call it at once.
    pub async fn migrate(&self) -> StoreResult<()> {
        // Without a limit: a migration takes the time that it takes.
        MIGRATOR.run(self.pool().inner()).await.map_err(StoreError::Migrate)
    }

    /// Compares the database with this program.
    pub async fn schema_version(&self) -> StoreResult<SchemaVersion> {
        let needed = MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or(0);
        let exists: bool =
            sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL").fetch_one(self.pool()).await?;
        let found = if exists {
            sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM _sqlx_migrations WHERE success")
                .fetch_one(self.pool())
                .await?
        } else {
            0
        };
        Ok(SchemaVersion { found, needed })
    }

    /// Fails unless every migration that this program knows has been applied. A newer database is fine: migrations
    /// expand before they contract, so that two adjacent versions run together.
    pub async fn require_schema(&self) -> StoreResult<()> {
        let version = self.schema_version().await?;
        if version.found < version.needed {
            return Err(StoreError::SchemaTooOld { found: version.found, needed: version.needed });
        }
        Ok(())
    }
}
