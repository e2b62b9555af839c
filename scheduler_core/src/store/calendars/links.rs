//! Which calendars a template uses.

use crate::schedule::Schedule;
use crate::store::StoreResult;
use sqlx::PgConnection;
use uuid::Uuid;

/// Writes down which calendars a template uses from now on, in the transaction that writes the template. The calendars stay
/// as they are until it commits, so that what was evaluated with them in the meantime counts. `Err` has the names of which there
/// is no calendar; then nothing was written.
pub(crate) async fn link(
    connection: &mut PgConnection,
    merchant: Uuid,
    template: Uuid,
    schedule: &Schedule,
) -> StoreResult<Result<(), Vec<String>>> {
    let names = schedule.calendar_names();
    let missing = hold(connection, merchant, &names).await?;
    if !missing.is_empty() {
        return Ok(Err(missing));
    }
    sqlx::query(
        "WITH gone AS (
            DELETE FROM template_calendars WHERE merchant_id = $1 AND template_id = $2 AND calendar <> ALL ($3)
        )
        INSERT INTO template_calendars (merchant_id, template_id, calendar)
        SELECT $1, $2, name FROM unnest($3::text[]) AS name ORDER BY name
        ON CONFLICT DO NOTHING",
    )
    .bind(merchant)
    .bind(template)
    .bind(names)
    .execute(connection)
    .await?;
    Ok(Ok(()))
}

/// Forgets which calendars a template uses: it is deleted.
pub(crate) async fn unlink(connection: &mut PgConnection, merchant: Uuid, template: Uuid) -> StoreResult<()> {
    sqlx::query("DELETE FROM template_calendars WHERE merchant_id = $1 AND template_id = $2")
        .bind(merchant)
        .bind(template)
        .execute(connection)
        .await?;
    Ok(())
}

/// Holds calendars shared, in the order of their names; answers which do not exist.
async fn hold(connection: &mut PgConnection, merchant: Uuid, names: &[&str]) -> StoreResult<Vec<String>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let there: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM calendars WHERE merchant_id = $1 AND name = ANY ($2) ORDER BY name FOR SHARE",
    )
    .bind(merchant)
    .bind(names)
    .fetch_all(connection)
    .await?;
    Ok(names.iter().filter(|name| !there.iter().any(|it| it == *name)).map(|name| (*name).to_owned()).collect())
}
