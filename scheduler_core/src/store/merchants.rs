//! Merchants: the tenants.

use super::{Store, StoreError, StoreResult};
use crate::domain::MerchantId;
use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

/// A tenant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Merchant {
    /// Its id.
    pub id: MerchantId,
    /// Its unique name.
    pub name: String,
    /// Share of a lane relative to other merchants at the same priority, 1 to 1000.
    pub weight: i32,
    /// Jobs that run at once, all queues together; `None`: any number.
    pub concurrency: Option<i32>,
    /// Where its alerts go; `None`: to the platform's own receiver.
    pub alert_url: Option<String>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

impl TryFrom<PgRow> for Merchant {
    type Error = StoreError;

    fn try_from(row: PgRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: MerchantId(row.try_get("id")?),
            name: row.try_get("name")?,
            weight: row.try_get("weight")?,
            concurrency: row.try_get("concurrency")?,
            alert_url: row.try_get("alert_url")?,
            created_at: row.try_get("created_at")?,
        })
    }
}

impl Store {
    /// Creates a merchant; `None` when the name is taken.
    ///
    /// # Errors
    /// When the database does not do it; an empty name or a weight outside 1 to 1000 is a conflict.
    pub async fn create_merchant(&self, name: &str, weight: i32) -> StoreResult<Option<Merchant>> {
        let now = self.read_clock().await?.database;
        let row = sqlx::query(
            "INSERT INTO merchants (id, name, weight) VALUES ($1, $2, $3)
             ON CONFLICT (name) DO NOTHING
             RETURNING id, name, weight, concurrency, alert_url, created_at",
        )
        .bind(MerchantId::new_at(now).0)
        .bind(name)
        .bind(weight)
        .fetch_optional(self.pool())
        .await?;
        row.map(Merchant::try_from).transpose()
    }

    /// Every merchant, by name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn merchants(&self) -> StoreResult<Vec<Merchant>> {
        let rows =
            sqlx::query("SELECT id, name, weight, concurrency, alert_url, created_at FROM merchants ORDER BY name")
                .fetch_all(self.pool())
                .await?;
        rows.into_iter().map(Merchant::try_from).collect()
    }

    /// The merchant with this name or, when it is a UUID, this id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn find_merchant(&self, name_or_id: &str) -> StoreResult<Option<Merchant>> {
        let row = sqlx::query("SELECT id, name, weight, concurrency, alert_url, created_at FROM merchants WHERE id = $1 OR name = $2 ORDER BY id = $1 DESC LIMIT 1")
            .bind(Uuid::try_parse(name_or_id).unwrap_or_default())
            .bind(name_or_id)
            .fetch_optional(self.pool())
            .await?;
        row.map(Merchant::try_from).transpose()
    }

    /// Sets a merchant's share of the lanes. Returns whether there is such a merchant.
    ///
    /// # Errors
    /// When the database does not do it; a weight outside 1 to 1000 is a conflict.
    pub async fn set_merchant_weight(&self, merchant: MerchantId, weight: i32) -> StoreResult<bool> {
        let done = sqlx::query("UPDATE merchants SET weight = $2 WHERE id = $1").bind(merchant.0).bind(weight);
        Ok(done.execute(self.pool()).await?.rows_affected() == 1)
    }

    /// Says where a merchant's alerts go and what signs them; `None` for the platform's own. Returns whether there is
    /// such a merchant.
    ///
    /// # Errors
    /// When the database does not do it.
    pub async fn set_merchant_alerts(
        &self,
        merchant: MerchantId,
        url: Option<&str>,
        secret: Option<&str>,
    ) -> StoreResult<bool> {
        let done = sqlx::query("UPDATE merchants SET alert_url = $2, alert_secret = $3 WHERE id = $1")
            .bind(merchant.0)
            .bind(url)
            .bind(secret)
            .execute(self.pool())
            .await?;
        Ok(done.rows_affected() == 1)
    }
}
