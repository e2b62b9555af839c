//! Changing and deleting calendars.

use super::{CalendarRow, calendar_columns};
use crate::domain::{MerchantId, NamedCalendar};
use crate::store::{Store, StoreError, StoreResult};
use chrono::{DateTime, SubsecRound as _, Utc};
use serde_json::Value;
use sqlx::PgConnection;

/// How many of the templates that use a calendar a refusal names.
const NAMED: usize = 20;

/// What became of a change.
#[derive(Clone, Debug)]
pub enum CalendarChanged {
    /// It is done; the calendar as it is now, and the templates that use it will be planned anew.
    Done(NamedCalendar),
    /// There is no such calendar.
    NotFound,
    /// The calendar has another version than the caller had seen.
    VersionMismatch {
        /// The version it has.
        current: i32,
    },
}

/// What became of a deletion.
#[derive(Clone, Debug)]
pub enum CalendarDeleted {
    /// It is gone.
    Done,
    /// There is no such calendar.
    NotFound,
    /// The calendar has another version than the caller had seen.
    VersionMismatch {
        /// The version it has.
        current: i32,
    },
    /// Templates use it: their names, the first of them.
    InUse(Vec<String>),
}

impl Store {
    /// Gives a calendar a new definition (validated), and asks for the templates that use it to be planned anew. The same
    /// definition again changes nothing. `if_versions`: only when it still has one of these versions.
    ///
    /// # Errors
    /// When the database does not do it.
    pub async fn replace_calendar(
        &self,
        merchant: MerchantId,
        name: &str,
        if_versions: Option<&[i32]>,
        definition: &Value,
        now: DateTime<Utc>,
    ) -> StoreResult<CalendarChanged> {
        let changing = async {
            let mut transaction = self.pool().begin().await?;
            let found = match lock(&mut transaction, merchant, name).await? {
                None => CalendarChanged::NotFound,
                Some(row) if if_versions.is_some_and(|versions| !versions.contains(&row.version)) => {
                    CalendarChanged::VersionMismatch { current: row.version }
                }
                Some(row) if row.definition == *definition => CalendarChanged::Done(row.into()),
                Some(_) => {
                    let row = write(&mut transaction, merchant, name, definition, now.trunc_subsecs(6)).await?;
                    ask_to_replan(&mut transaction, merchant, name).await?;
                    CalendarChanged::Done(row.into())
                }
            };
            transaction.commit().await?;
            Ok(found)
        };
        self.pool().within(changing).await
    }

    /// Deletes a calendar that no template uses.
    ///
    /// # Errors
    /// When the database does not do it.
    pub async fn delete_calendar(
        &self,
        merchant: MerchantId,
        name: &str,
        if_versions: Option<&[i32]>,
    ) -> StoreResult<CalendarDeleted> {
        let deleted: Result<Option<i32>, StoreError> = sqlx::query_scalar(
            "DELETE FROM calendars WHERE merchant_id = $1 AND name = $2 AND ($3::int4[] IS NULL OR version = ANY ($3))
             RETURNING version",
        )
        .bind(merchant.0)
        .bind(name)
        .bind(if_versions)
        .fetch_optional(self.pool())
        .await
        .map_err(StoreError::from);
        match deleted {
            Ok(Some(_)) => Ok(CalendarDeleted::Done),
            Ok(None) => Ok(match self.calendar(merchant, name).await? {
                Some(calendar) => CalendarDeleted::VersionMismatch { current: calendar.version },
                None => CalendarDeleted::NotFound,
            }),
            Err(error) if error.constraint() == Some("calendar_is_used") => {
                let users = self.templates_using(merchant, name, NAMED).await?;
                Ok(CalendarDeleted::InUse(users.into_iter().map(|(_, name, _)| name).collect()))
            }
            Err(error) => Err(error),
        }
    }
}

/// Locks a calendar against other changes, and waits for whoever is writing a template that uses it.
async fn lock(connection: &mut PgConnection, merchant: MerchantId, name: &str) -> StoreResult<Option<CalendarRow>> {
    let row = sqlx::query_as(concat!(
        "SELECT ",
        calendar_columns!(),
        " FROM calendars c WHERE c.merchant_id = $1 AND c.name = $2 FOR NO KEY UPDATE OF c"
    ))
    .bind(merchant.0)
    .bind(name)
    .fetch_optional(connection)
    .await?;
    Ok(row)
}

async fn write(
    connection: &mut PgConnection,
    merchant: MerchantId,
    name: &str,
    definition: &Value,
    now: DateTime<Utc>,
) -> StoreResult<CalendarRow> {
    let row = sqlx::query_as(concat!(
        "WITH c AS (
            UPDATE calendars SET definition = $3, version = version + 1, updated_at = greatest($4, updated_at)
             WHERE merchant_id = $1 AND name = $2
            RETURNING *
        ) SELECT ",
        calendar_columns!(),
        " FROM c"
    ))
    .bind(merchant.0)
    .bind(name)
    .bind(definition)
    .bind(now)
    .fetch_optional(connection)
    .await?;
    // It is locked, so it is still there.
    row.ok_or_else(|| StoreError::corrupt("calendars", "name", name, "gone under its lock"))
}

/// Puts the templates that use a calendar before the recurrence managers. A statement of its own: its snapshot is younger
/// than the lock, so it sees the templates that the lock has waited for.
async fn ask_to_replan(connection: &mut PgConnection, merchant: MerchantId, name: &str) -> StoreResult<()> {
    sqlx::query(
        "INSERT INTO template_reviews (merchant_id, template_id, kind)
         SELECT merchant_id, template_id, 'replan' FROM template_calendars WHERE merchant_id = $1 AND calendar = $2",
    )
    .bind(merchant.0)
    .bind(name)
    .execute(connection)
    .await?;
    Ok(())
}
