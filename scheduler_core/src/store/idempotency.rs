//! Idempotency keys: one create per (merchant, key), and the answer that it was given.
//!
//! The key's row is written in the transaction of the create, so that there is never a key without its jobs or jobs
//! without their key. Expired rows count as absent; the failure watcher removes them.

use super::{Store, StoreResult};
use crate::domain::MerchantId;
use crate::planted::bent;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// A key that a request carries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IdempotencyKey {
    /// What the producer chose.
    pub key: String,
    /// SHA-256 of method, path and body; the same key with another hash is a mistake of the producer.
    pub request_hash: [u8; 32],
    /// Until when the answer is kept.
    pub expires_at: DateTime<Utc>,
}

/// The answer that a key was given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredAnswer {
    /// HTTP status.
    pub status: u16,
    /// Body, JSON.
    pub body: String,
}

/// What a key already stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeyHolder {
    /// The same request: give this answer again.
    Same(StoredAnswer),
    /// Another request.
    Other,
}

/// The upsert's tail: an expired row is taken over, a valid one is left alone (and not returned).
macro_rules! take_over_expired {
    () => {
        " ON CONFLICT (merchant_id, key) DO UPDATE
             SET request_hash = EXCLUDED.request_hash, status = EXCLUDED.status, response = EXCLUDED.response,
                 created_at = clock_timestamp(), expires_at = EXCLUDED.expires_at
           WHERE idempotency_keys.expires_at <= clock_timestamp()
          RETURNING merchant_id, key "
    };
}
pub(super) use take_over_expired;

/// Takes a key within a transaction, with its answer still to be written ([`write_answer`]). `None`: it is ours now.
///
/// Waits for another transaction that is just taking the same key.
pub(super) async fn take_key(
    connection: &mut PgConnection,
    merchant: MerchantId,
    key: &IdempotencyKey,
    status: u16,
) -> StoreResult<Option<KeyHolder>> {
    loop {
        let taken = sqlx::query(concat!(
            "INSERT INTO idempotency_keys (merchant_id, key, request_hash, status, response, expires_at)
             VALUES ($1, $2, $3, $4, '', $5)",
            take_over_expired!()
        ))
        .bind(merchant.0)
        .bind(&key.key)
        .bind(key.request_hash.as_slice())
        .bind(status as i16)
        .bind(key.expires_at)
        .fetch_optional(&mut *connection)
        .await?;
        if taken.is_some() {
            return Ok(None);
        }
        // Gone between the two statements: it had just expired and was removed. Then it is free.
        if let Some(holder) = find_holder(&mut *connection, merchant, key).await? {
            return Ok(Some(holder));
        }
    }
}

/// Completes a key that [`take_key`] took.
pub(super) async fn write_answer(
    connection: &mut PgConnection,
    merchant: MerchantId,
    key: &IdempotencyKey,
    body: &str,
) -> StoreResult<()> {
    sqlx::query("UPDATE idempotency_keys SET response = $3 WHERE merchant_id = $1 AND key = $2")
        .bind(merchant.0)
        .bind(&key.key)
        .bind(body)
        .execute(connection)
        .await?;
    Ok(())
}

const FIND: &str = "
    SELECT request_hash, status, response FROM idempotency_keys
     WHERE merchant_id = $1 AND key = $2 AND expires_at > clock_timestamp()";

async fn find_holder(
    connection: &mut PgConnection,
    merchant: MerchantId,
    key: &IdempotencyKey,
) -> StoreResult<Option<KeyHolder>> {
    let find = bent(FIND, "idempotency_unscoped", "merchant_id = $1", "$1::uuid IS NOT NULL");
    let row: Option<(Vec<u8>, i16, String)> =
        sqlx::query_as(find).bind(merchant.0).bind(&key.key).fetch_optional(connection).await?;
    Ok(row.map(|(hash, status, body)| {
        if hash == key.request_hash {
            KeyHolder::Same(StoredAnswer { status: u16::try_from(status).unwrap_or(200), body })
        } else {
            KeyHolder::Other
        }
    }))
}

impl Store {
    /// What this key stands for, if it is known and has not expired.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn idempotency_holder(
        &self,
        merchant: MerchantId,
        key: &IdempotencyKey,
    ) -> StoreResult<Option<KeyHolder>> {
        self.pool()
            .within(async {
                let mut connection = self.pool().acquire().await?;
                let holder = find_holder(&mut connection, merchant, key).await?;
                connection.is_well();
                Ok(holder)
            })
            .await
    }
}
