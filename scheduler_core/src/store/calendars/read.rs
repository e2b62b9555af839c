//! Reading calendars.

use super::{CalendarRow, calendar_columns};
use crate::domain::{MerchantId, NamedCalendar, TemplateId};
use crate::store::columns::row_limit;
use crate::store::{Store, StoreResult};
use serde_json::Value;
use uuid::Uuid;

impl Store {
    /// A calendar of the merchant.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn calendar(&self, merchant: MerchantId, name: &str) -> StoreResult<Option<NamedCalendar>> {
        let row: Option<CalendarRow> = sqlx::query_as(concat!(
            "SELECT ",
            calendar_columns!(),
            " FROM calendars c WHERE c.merchant_id = $1 AND c.name = $2"
        ))
        .bind(merchant.0)
        .bind(name)
        .fetch_optional(self.pool())
        .await?;
        Ok(row.map(NamedCalendar::from))
    }

    /// The merchant's calendars with names after `after`, by name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list_calendars(
        &self,
        merchant: MerchantId,
        after: Option<&str>,
        limit: usize,
    ) -> StoreResult<Vec<NamedCalendar>> {
        let rows: Vec<CalendarRow> = sqlx::query_as(concat!(
            "SELECT ",
            calendar_columns!(),
            " FROM calendars c WHERE c.merchant_id = $1 AND ($2::text IS NULL OR c.name > $2) ORDER BY c.name LIMIT $3"
        ))
        .bind(merchant.0)
        .bind(after)
        .bind(row_limit(limit))
        .fetch_all(self.pool())
        .await?;
        Ok(rows.into_iter().map(NamedCalendar::from).collect())
    }

    /// The templates that use a calendar, by name, at most `limit`: id, name, schedule.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn templates_using(
        &self,
        merchant: MerchantId,
        calendar: &str,
        limit: usize,
    ) -> StoreResult<Vec<(TemplateId, String, Value)>> {
        let rows: Vec<(Uuid, String, Value)> = sqlx::query_as(
            "SELECT t.id, t.name, t.schedule
               FROM template_calendars l
               JOIN templates t ON t.merchant_id = l.merchant_id AND t.id = l.template_id
              WHERE l.merchant_id = $1 AND l.calendar = $2
              ORDER BY t.name LIMIT $3",
        )
        .bind(merchant.0)
        .bind(calendar)
        .bind(row_limit(limit))
        .fetch_all(self.pool())
        .await?;
        Ok(rows.into_iter().map(|(id, name, schedule)| (TemplateId(id), name, schedule)).collect())
    }
}
