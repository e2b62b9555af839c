//! API keys: made, listed, revoked, looked up. Only a hash of the secret half is ever stored.

use super::{Store, StoreError, StoreResult};
use crate::domain::{ApiKeySecret, MerchantId, Scope};
use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::postgres::PgRow;
use subtle::ConstantTimeEq as _;

/// An API key as it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApiKey {
    /// Public half; names the key in lists and logs.
    pub id: String,
    /// Whose key.
    pub merchant: MerchantId,
    /// What its owner calls it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it stops working.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was last used, to within some seconds.
    pub last_used_at: Option<DateTime<Utc>>,
    secret_hash: [u8; 32],
}

impl ApiKey {
    /// Whether `secret` is this key and the key still works at `now`. Takes the same time whichever byte differs.
    pub fn accepts(&self, secret: &ApiKeySecret, now: DateTime<Utc>) -> bool {
        let same = bool::from(self.secret_hash.ct_eq(&secret.hash()));
        same && self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

impl TryFrom<PgRow> for ApiKey {
    type Error = StoreError;

    fn try_from(row: PgRow) -> Result<Self, StoreError> {
        let id: String = row.try_get("id")?;
        let hash: Vec<u8> = row.try_get("secret_hash")?;
        let secret_hash =
            hash.try_into().map_err(|_| StoreError::corrupt("api_keys", "secret_hash", &id, "not 32 bytes"))?;
        let scopes: Vec<String> = row.try_get("scopes")?;
        let scopes = scopes.iter().map(|scope| scope.parse()).collect::<Result<_, String>>();
        Ok(Self {
            merchant: MerchantId(row.try_get("merchant_id")?),
            name: row.try_get("name")?,
            scopes: scopes.map_err(|why| StoreError::corrupt("api_keys", "scopes", &id, why))?,
            created_at: row.try_get("created_at")?,
            expires_at: row.try_get("expires_at")?,
            revoked_at: row.try_get("revoked_at")?,
            last_used_at: row.try_get("last_used_at")?,
            secret_hash,
            id,
        })
    }
}

impl Store {
    /// Makes a key for a merchant. The secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// When the database does not do it; an unknown merchant is a conflict.
    pub async fn create_api_key(
        &self,
        merchant: MerchantId,
        name: &str,
        scopes: &[Scope],
        expires_at: Option<DateTime<Utc>>,
    ) -> StoreResult<(ApiKey, ApiKeySecret)> {
        let secret = ApiKeySecret::generate();
        let row = sqlx::query(
            "INSERT INTO api_keys (id, merchant_id, name, secret_hash, scopes, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             RETURNING *",
        )
        .bind(&secret.id)
        .bind(merchant.0)
        .bind(name)
        .bind(secret.hash().as_slice())
        .bind(scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>())
        .bind(expires_at)
        .fetch_one(self.pool())
        .await?;
        Ok((row.try_into()?, secret))
    }

    /// A merchant's keys, oldest first; revoked and expired ones included.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn api_keys(&self, merchant: MerchantId) -> StoreResult<Vec<ApiKey>> {
        let rows = sqlx::query("SELECT * FROM api_keys WHERE merchant_id = $1 ORDER BY created_at, id")
            .bind(merchant.0)
            .fetch_all(self.pool())
            .await?;
        rows.into_iter().map(ApiKey::try_from).collect()
    }

    /// The key with this public id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn api_key(&self, id: &str) -> StoreResult<Option<ApiKey>> {
        let row = sqlx::query("SELECT * FROM api_keys WHERE id = $1").bind(id).fetch_optional(self.pool()).await?;
        row.map(ApiKey::try_from).transpose()
    }

    /// Revokes a key by its public id; `None` when there is none. Revoking twice keeps the first time. API processes
    /// that know the key go on accepting it for `api.key_cache_seconds`.
    ///
    /// # Errors
    /// When the database does not do it.
    pub async fn revoke_api_key(&self, id: &str) -> StoreResult<Option<ApiKey>> {
        let row = sqlx::query(
            "UPDATE api_keys SET revoked_at = coalesce(revoked_at, clock_timestamp()) WHERE id = $1 RETURNING *",
        )
        .bind(id)
        .fetch_optional(self.pool())
        .await?;
        row.map(ApiKey::try_from).transpose()
    }

    /// Notes when keys were last used: public ids with times, each id once. An older time changes nothing.
    ///
    /// # Errors
    /// When the database does not do it.
    pub async fn touch_api_keys(&self, used: &[(String, DateTime<Utc>)]) -> StoreResult<()> {
        let (ids, times): (Vec<&str>, Vec<DateTime<Utc>>) = used.iter().map(|(id, at)| (id.as_str(), *at)).unzip();
        sqlx::query(
            "UPDATE api_keys k SET last_used_at = u.used_at
               FROM unnest($1::text[], $2::timestamptz[]) AS u (id, used_at)
              WHERE k.id = u.id AND (k.last_used_at IS NULL OR k.last_used_at < u.used_at)",
        )
        .bind(ids)
        .bind(times)
        .execute(self.pool())
        .await?;
        Ok(())
    }
}
