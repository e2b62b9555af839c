//! Templates that have to be looked at: a job of them has ended, or what surrounds them has changed.
//!
//! What happens writes a row of `template_reviews` in its own transaction, so that nothing is forgotten; a manager does
//! what follows, under the lock of the template. Reviews decide from the rows as they are then, so that one too many does
//! no harm.

use crate::domain::MerchantId;
use crate::store::StoreResult;
use sqlx::PgConnection;
use uuid::Uuid;

/// Why a template has to be looked at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum ReviewKind {
    /// A job of it became a dead letter.
    Failed,
    /// A job that it waits for, or its schedule, has ended.
    Ended,
    /// What is planned and not due may be out of date.
    Replan,
}

impl ReviewKind {
    /// The name in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Ended => "ended",
            Self::Replan => "replan",
        }
    }

    /// Reads the database's name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Failed, Self::Ended, Self::Replan].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Asks for reviews of these templates, in the caller's transaction.
pub(crate) async fn ask_for_review(
    connection: &mut PgConnection,
    templates: &[(Uuid, Uuid)],
    kind: ReviewKind,
) -> StoreResult<()> {
    if templates.is_empty() {
        return Ok(());
    }
    let (merchants, ids): (Vec<Uuid>, Vec<Uuid>) = templates.iter().copied().unzip();
    sqlx::query(
        "INSERT INTO template_reviews (merchant_id, template_id, kind)
         SELECT t.merchant_id, t.id, $3 FROM unnest($1::uuid[], $2::uuid[]) AS t (merchant_id, id)",
    )
    .bind(merchants)
    .bind(ids)
    .bind(kind.as_str())
    .execute(connection)
    .await?;
    Ok(())
}

/// Asks for what is planned of every template of the merchant to be planned anew, in the caller's transaction.
pub(crate) async fn ask_for_replan_of_all(connection: &mut PgConnection, merchant: MerchantId) -> StoreResult<()> {
    sqlx::query(
        "INSERT INTO template_reviews (merchant_id, template_id, kind)
         SELECT merchant_id, id, 'replan' FROM templates
          WHERE merchant_id = $1 AND active AND deleted_at IS NULL
          ORDER BY id",
    )
    .bind(merchant.0)
    .execute(connection)
    .await?;
    Ok(())
}
