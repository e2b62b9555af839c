//! Reading templates.

use super::row::{TemplateRow, template_columns};
use crate::domain::{MerchantId, Template, TemplateId};
use crate::store::{Store, StoreResult};

/// Which templates a list shows.
#[derive(Clone, Debug, Default)]
pub struct TemplateQuery {
    /// Only those that fire, or only those that do not.
    pub active: Option<bool>,
    /// Only the one of this name.
    pub name: Option<String>,
    /// Only those whose names begin so.
    pub name_prefix: Option<String>,
    /// Only those created before this one: the last of the previous page.
    pub before: Option<TemplateId>,
    /// The most to return.
    pub limit: i64,
}

impl Store {
    /// A template of the merchant; `None` when there is none, or it is deleted.
    pub async fn get_template(&self, merchant: MerchantId, id: TemplateId) -> StoreResult<Option<Template>> {
        let row: Option<TemplateRow> = sqlx::query_as(concat!(
            "SELECT ",
            template_columns!(),
            " FROM templates WHERE merchant_id = $1 AND id = $2 AND deleted_at IS NULL"
        ))
        .bind(merchant.0)
        .bind(id.0)
        .fetch_optional(self.pool())
        .await?;
        Ok(row.map(Template::from))
    }

    /// The merchant's templates, the newest first.
    pub async fn list_templates(&self, merchant: MerchantId, query: &TemplateQuery) -> StoreResult<Vec<Template>> {
        let rows: Vec<TemplateRow> = sqlx::query_as(concat!(
            "SELECT ",
            template_columns!(),
            " FROM templates
              WHERE merchant_id = $1 AND deleted_at IS NULL
                AND ($2::uuid IS NULL OR id < $2)
                AND ($3::boolean IS NULL OR active = $3)
                AND ($4::text IS NULL OR name = $4)
                AND ($6::text IS NULL OR starts_with(name, $6))
              ORDER BY id DESC
              LIMIT $5"
        ))
        .bind(merchant.0)
        .bind(query.before.map(|id| id.0))
        .bind(query.active)
        .bind(&query.name)
        .bind(query.limit)
        .bind(&query.name_prefix)
        .fetch_all(self.pool())
        .await?;
        Ok(rows.into_iter().map(Template::from).collect())
    }
}
