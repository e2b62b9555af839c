//! Reading backfills.

use super::row::{BackfillRow, backfill_columns};
use crate::domain::{Backfill, BackfillId, BackfillState, MerchantId, TemplateId};
use crate::store::{Store, StoreResult};
use sqlx::PgConnection;

/// Which backfills a list shows, the newest first.
#[derive(Clone, Debug, Default)]
pub struct BackfillQuery {
    /// Only those of this template.
    pub template: Option<TemplateId>,
    /// Only those in this state.
    pub state: Option<BackfillState>,
    /// Only those before this one: the last of the previous page.
    pub before: Option<BackfillId>,
    /// The most to return.
    pub limit: i64,
}

impl Store {
    /// A backfill of the merchant, with its progress.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn backfill(&self, merchant: MerchantId, id: BackfillId) -> StoreResult<Option<Backfill>> {
        self.pool()
            .within(async {
                let mut connection = self.pool().acquire().await?;
                let found = backfill_in(&mut connection, merchant, id).await?;
                connection.is_well();
                Ok(found)
            })
            .await
    }

    /// The merchant's backfills, also those of templates that are deleted.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list_backfills(&self, merchant: MerchantId, query: &BackfillQuery) -> StoreResult<Vec<Backfill>> {
        let rows: Vec<BackfillRow> = sqlx::query_as(concat!(
            "SELECT ",
            backfill_columns!(),
            " FROM backfills b
              WHERE b.merchant_id = $1
                AND ($2::uuid IS NULL OR b.template_id = $2)
                AND ($3::text IS NULL OR b.state = $3)
                AND ($4::uuid IS NULL OR b.id < $4)
              ORDER BY b.id DESC LIMIT $5"
        ))
        .bind(merchant.0)
        .bind(query.template.map(|id| id.0))
        .bind(query.state.map(BackfillState::as_str))
        .bind(query.before.map(|id| id.0))
        .bind(query.limit)
        .fetch_all(self.pool())
        .await?;
        rows.into_iter().map(Backfill::try_from).collect()
    }
}

/// [`Store::backfill`] in the caller's transaction.
pub(super) async fn backfill_in(
    connection: &mut PgConnection,
    merchant: MerchantId,
    id: BackfillId,
) -> StoreResult<Option<Backfill>> {
    let row: Option<BackfillRow> = sqlx::query_as(concat!(
        "SELECT ",
        backfill_columns!(),
        " FROM backfills b WHERE b.merchant_id = $1 AND b.id = $2"
    ))
    .bind(merchant.0)
    .bind(id.0)
    .fetch_optional(connection)
    .await?;
    row.map(Backfill::try_from).transpose()
}
