//! Creating calendars.

use super::{CalendarRow, calendar_columns};
use crate::domain::{MerchantId, NamedCalendar};
use crate::store::idempotency::KeyHolder;
use crate::store::templates::keyed::{Keyed, answer, take};
use crate::store::{Store, StoreResult};
use chrono::{DateTime, SubsecRound as _, Utc};
use serde_json::Value;

/// A calendar to be created.
pub struct NewCalendar<'a> {
    /// Whose it will be.
    pub merchant: MerchantId,
    /// Its name; validated.
    pub name: &'a str,
    /// Its definition; validated.
    pub definition: &'a Value,
    /// The present, by the database's clock.
    pub now: DateTime<Utc>,
    /// The request's idempotency key and what to answer.
    pub key: Option<Keyed<'a, NamedCalendar>>,
}

/// What became of a creation.
#[derive(Clone, Debug)]
pub enum CalendarCreated {
    /// It is there, in version 1.
    Created(NamedCalendar),
    /// The idempotency key was used before.
    KeyTaken(KeyHolder),
    /// The merchant has a calendar of this name. The idempotency key stays free.
    NameTaken,
}

impl Store {
    /// Creates a calendar in version 1.
    ///
    /// # Errors
    /// When the database does not do it.
    pub async fn create_calendar(&self, new: &NewCalendar<'_>) -> StoreResult<CalendarCreated> {
        self.pool().within(self.create_calendar_at_once(new)).await
    }

    async fn create_calendar_at_once(&self, new: &NewCalendar<'_>) -> StoreResult<CalendarCreated> {
        let mut transaction = self.pool().begin().await?;
        if let Some(holder) = take(&mut transaction, new.merchant, &new.key).await? {
            transaction.rollback().await?;
            return Ok(CalendarCreated::KeyTaken(holder));
        }
        let row: Option<CalendarRow> = sqlx::query_as(concat!(
            "WITH c AS (
                INSERT INTO calendars (merchant_id, name, definition, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)
                ON CONFLICT DO NOTHING
                RETURNING *
            ) SELECT ",
            calendar_columns!(),
            " FROM c"
        ))
        .bind(new.merchant.0)
        .bind(new.name)
        .bind(new.definition)
        .bind(new.now.trunc_subsecs(6))
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(row) = row else {
            transaction.rollback().await?;
            return Ok(CalendarCreated::NameTaken);
        };
        let calendar = NamedCalendar::from(row);
        answer(&mut transaction, new.merchant, &new.key, &calendar).await?;
        transaction.commit().await?;
        Ok(CalendarCreated::Created(calendar))
    }
}
