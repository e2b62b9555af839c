//! Freeze windows of merchants.

use super::templates::reviews::ask_for_replan_of_all;
use super::{Store, StoreError, StoreResult};
use crate::domain::{Freeze, FreezeAction, MerchantId};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use std::collections::HashMap;
use uuid::Uuid;

/// The most windows of one merchant that are not over.
const MOST: i64 = 100;

/// What became of a new window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FreezeCreated {
    /// It is there; what is planned already follows within moments.
    Created,
    /// Another window of the merchant has the name.
    NameTaken,
    /// The merchant has too many windows that are not over.
    TooMany,
}

type Row = (Uuid, String, DateTime<Utc>, DateTime<Utc>, String);

const CREATE: &str = "
    INSERT INTO freezes (merchant_id, name, starts_at, ends_at, action)
    SELECT $1, $2, $3, $4, $5
     WHERE (SELECT count(*) FROM freezes WHERE merchant_id = $1 AND ends_at > $6) < $7
    ON CONFLICT DO NOTHING";

impl Store {
    /// Adds a window. What was planned already is planned anew, by the recurrence managers.
    ///
    /// # Errors
    /// When the database does not do it.
    pub async fn create_freeze(
        &self,
        merchant: MerchantId,
        freeze: &Freeze,
        now: DateTime<Utc>,
    ) -> StoreResult<FreezeCreated> {
        self.pool()
            .within(async {
                let mut transaction = self.pool().begin().await?;
                let made = sqlx::query(CREATE)
                    .bind(merchant.0)
                    .bind(&freeze.name)
                    .bind(freeze.starts_at)
                    .bind(freeze.ends_at)
                    .bind(freeze.action.as_str())
                    .bind(now)
                    .bind(MOST)
                    .execute(&mut *transaction)
                    .await?;
                if made.rows_affected() == 0 {
                    let taken = sqlx::query("SELECT 1 FROM freezes WHERE merchant_id = $1 AND name = $2");
                    let taken = taken.bind(merchant.0).bind(&freeze.name).fetch_optional(&mut *transaction).await?;
                    return Ok(if taken.is_some() { FreezeCreated::NameTaken } else { FreezeCreated::TooMany });
                }
                ask_for_replan_of_all(&mut transaction, merchant).await?;
                transaction.commit().await?;
                Ok(FreezeCreated::Created)
            })
            .await
    }

    /// The merchant's windows in the order of their beginnings.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list_freezes(&self, merchant: MerchantId) -> StoreResult<Vec<Freeze>> {
        self.pool()
            .within(async {
                let mut connection = self.pool().acquire().await?;
                Ok(read(&mut connection, &[merchant.0], None).await?.remove(&merchant.0).unwrap_or_default())
            })
            .await
    }

    /// Removes a window; `false` when there is none of that name. What it held and what is not due yet is planned anew.
    ///
    /// # Errors
    /// When the database does not do it.
    pub async fn delete_freeze(&self, merchant: MerchantId, name: &str) -> StoreResult<bool> {
        self.pool()
            .within(async {
                let mut transaction = self.pool().begin().await?;
                let gone = sqlx::query("DELETE FROM freezes WHERE merchant_id = $1 AND name = $2")
                    .bind(merchant.0)
                    .bind(name)
                    .execute(&mut *transaction)
                    .await?;
                if gone.rows_affected() == 0 {
                    return Ok(false);
                }
                ask_for_replan_of_all(&mut transaction, merchant).await?;
                transaction.commit().await?;
                Ok(true)
            })
            .await
    }
}

/// The windows of some merchants that end after `after` (all, if that is not given).
pub(crate) async fn read(
    connection: &mut PgConnection,
    merchants: &[Uuid],
    after: Option<DateTime<Utc>>,
) -> StoreResult<HashMap<Uuid, Vec<Freeze>>> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT merchant_id, name, starts_at, ends_at, action FROM freezes
          WHERE merchant_id = ANY ($1) AND ends_at > coalesce($2, '-infinity'::timestamptz)
          ORDER BY merchant_id, starts_at, name",
    )
    .bind(merchants)
    .bind(after)
    .fetch_all(connection)
    .await?;
    let mut freezes: HashMap<Uuid, Vec<Freeze>> = HashMap::new();
    for (merchant, name, starts_at, ends_at, action) in rows {
        let action = FreezeAction::parse(&action)
            .ok_or_else(|| StoreError::corrupt("freezes", "action", format!("{merchant}/{name}"), &action))?;
        freezes.entry(merchant).or_default().push(Freeze { name, starts_at, ends_at, action });
    }
    Ok(freezes)
}
