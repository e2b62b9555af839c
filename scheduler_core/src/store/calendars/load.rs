//! Calendars for whoever evaluates a schedule.

use super::cache::{CalendarKey, KNOWN, Stamp};
use crate::domain::MerchantId;
use crate::schedule::{Calendar, CalendarSet};
use crate::store::{Store, StoreError, StoreResult};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use uuid::Uuid;

/// One wanted calendar: the number of the wish, its version, when it was changed, and what it says unless that is known.
type Row = (i64, i32, DateTime<Utc>, Option<Value>);

/// Reads what is not known, or is no longer what is known; by key, in one statement.
const READ: &str = "
SELECT w.n, c.version, c.updated_at,
       CASE WHEN (c.version, c.updated_at) IS DISTINCT FROM (w.version, w.updated_at) THEN c.definition END
  FROM unnest($1::uuid[], $2::text[], $3::int4[], $4::timestamptz[])
       WITH ORDINALITY AS w (merchant_id, name, version, updated_at, n)
 CROSS JOIN LATERAL (SELECT * FROM calendars c WHERE c.merchant_id = w.merchant_id AND c.name = w.name OFFSET 0) c";

impl Store {
    /// The merchant's calendars of these names, as they are now; those that do not exist are left out.
    ///
    /// # Errors
    /// When the database does not answer, or a calendar cannot be read.
    pub async fn calendar_set(&self, merchant: MerchantId, names: &[&str]) -> StoreResult<CalendarSet> {
        if names.is_empty() {
            return Ok(CalendarSet::default());
        }
        let wanted = names.iter().map(|name| (merchant.0, (*name).to_owned())).collect();
        let mut connection = self.pool().acquire().await?;
        let mut found = load(&mut connection, &wanted).await?;
        Ok(found.remove(&merchant.0).unwrap_or_default())
    }
}

/// Calendars by merchant, as the connection sees them; those that do not exist are left out. A calendar that this version of
/// the program cannot read is left out too, with a warning: only who needs it must wait.
pub(crate) async fn load(
    connection: &mut PgConnection,
    wanted: &BTreeSet<CalendarKey>,
) -> StoreResult<HashMap<Uuid, CalendarSet>> {
    let mut sets: HashMap<Uuid, CalendarSet> = HashMap::new();
    if wanted.is_empty() {
        return Ok(sets);
    }
    let wishes: Vec<_> = wanted.iter().map(|key| (key, KNOWN.get(key))).collect();
    for (n, version, updated_at, definition) in read(connection, &wishes).await? {
        let Some((key, known)) = usize::try_from(n - 1).ok().and_then(|n| wishes.get(n)) else { continue };
        let calendar = match (definition, known) {
            (None, Some((_, calendar))) => Arc::clone(calendar),
            (Some(definition), _) => match parsed(key, &definition) {
                Ok(calendar) => {
                    KNOWN.put((*key).clone(), (version, updated_at), Arc::clone(&calendar));
                    calendar
                }
                Err(error) => {
                    tracing::warn!(%error, "a calendar cannot be read; templates that use it have to wait");
                    continue;
                }
            },
            (None, None) => continue,
        };
        sets.entry(key.0).or_default().insert(key.1.as_str(), calendar);
    }
    Ok(sets)
}

/// A calendar that is wanted, and what is known of it.
type Wish<'a> = (&'a CalendarKey, Option<(Stamp, Arc<Calendar>)>);

async fn read(connection: &mut PgConnection, wishes: &[Wish<'_>]) -> StoreResult<Vec<Row>> {
    let stamps: Vec<_> = wishes.iter().map(|(_, known)| known.as_ref().map(|(stamp, _)| *stamp)).collect();
    let rows = sqlx::query_as(READ)
        .bind(wishes.iter().map(|(key, _)| key.0).collect::<Vec<_>>())
        .bind(wishes.iter().map(|(key, _)| key.1.as_str()).collect::<Vec<_>>())
        .bind(stamps.iter().map(|stamp| stamp.map(|(version, _)| version)).collect::<Vec<_>>())
        .bind(stamps.iter().map(|stamp| stamp.map(|(_, at)| at)).collect::<Vec<_>>())
        .fetch_all(connection)
        .await?;
    Ok(rows)
}

/// Reads a definition. It was checked when it was written, so an error means damage, or a newer version of the program.
fn parsed((merchant, name): &CalendarKey, definition: &Value) -> StoreResult<Arc<Calendar>> {
    Calendar::parse(definition).map(Arc::new).map_err(|errors| {
        let details: Vec<_> = errors.iter().map(ToString::to_string).collect();
        StoreError::corrupt("calendars", "definition", format!("{merchant}/{name}"), details.join("; "))
    })
}
