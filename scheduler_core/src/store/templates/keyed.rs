//! Idempotency keys of creates that are one transaction each.

use crate::domain::MerchantId;
use crate::store::StoreResult;
use crate::store::idempotency::{IdempotencyKey, KeyHolder, take_key, write_answer};
use sqlx::PgConnection;

/// An idempotency key, with the answer that is kept under it once a `T` was created.
pub struct Keyed<'a, T> {
    /// The key.
    pub key: &'a IdempotencyKey,
    /// The status of the answer.
    pub status: u16,
    /// Its body.
    pub body: &'a (dyn Fn(&T) -> String + Send + Sync),
}

/// Takes the key, if there is one; answers who holds it, if somebody does.
pub(crate) async fn take<T>(
    connection: &mut PgConnection,
    merchant: MerchantId,
    keyed: &Option<Keyed<'_, T>>,
) -> StoreResult<Option<KeyHolder>> {
    match keyed {
        Some(keyed) => take_key(connection, merchant, keyed.key, keyed.status).await,
        None => Ok(None),
    }
}

/// Keeps the answer under the key, if there is one.
pub(crate) async fn answer<T>(
    connection: &mut PgConnection,
    merchant: MerchantId,
    keyed: &Option<Keyed<'_, T>>,
    created: &T,
) -> StoreResult<()> {
    match keyed {
        Some(keyed) => {
            // Written before the await, so that what was created need not be shared between threads.
            let body = (keyed.body)(created);
            write_answer(connection, merchant, keyed.key, &body).await
        }
        None => Ok(()),
    }
}
