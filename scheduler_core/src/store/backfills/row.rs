//! A row of `backfills`, and what is shown of it.

use crate::domain::{
    Backfill, BackfillId, BackfillOrder, BackfillProgress, BackfillState, MerchantId, Reprocess, TemplateId,
};
use crate::store::{StoreError, StoreResult};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The columns of [`BackfillRow`], of the row `b`; its live jobs and its ends that are not counted yet are counted here, all
/// by one snapshot.
macro_rules! backfill_columns {
    () => {
        "b.merchant_id, b.id, b.template_id, b.state, b.reason, b.from_at, b.to_at, b.newest_first, b.max_active, \
         b.reprocess, b.total, b.first_at, b.last_at, b.cursor_at, b.exhausted, b.created, b.created_at, b.ended_at, \
         (SELECT count(*) FROM jobs_live j WHERE j.merchant_id = b.merchant_id AND j.backfill_id = b.id) AS live, \
         b.succeeded + (SELECT count(*) FROM backfill_endings e WHERE e.merchant_id = b.merchant_id \
                           AND e.backfill_id = b.id AND e.state = 'succeeded') AS succeeded, \
         b.failed + (SELECT count(*) FROM backfill_endings e WHERE e.merchant_id = b.merchant_id \
                        AND e.backfill_id = b.id AND e.state = 'dead') AS failed, \
         b.other + (SELECT count(*) FROM backfill_endings e WHERE e.merchant_id = b.merchant_id \
                       AND e.backfill_id = b.id AND e.state NOT IN ('succeeded', 'dead')) AS other"
    };
}

pub(super) use backfill_columns;

/// A row of `backfills`.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct BackfillRow {
    pub merchant_id: Uuid,
    pub id: Uuid,
    pub template_id: Uuid,
    pub state: String,
    pub reason: Option<String>,
    pub from_at: DateTime<Utc>,
    pub to_at: DateTime<Utc>,
    pub newest_first: bool,
    pub max_active: i32,
    pub reprocess: String,
    pub total: i32,
    pub first_at: Option<DateTime<Utc>>,
    pub last_at: Option<DateTime<Utc>>,
    pub cursor_at: Option<DateTime<Utc>>,
    pub exhausted: bool,
    pub created: i32,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub live: i64,
    pub succeeded: i64,
    pub failed: i64,
    pub other: i64,
}

impl BackfillRow {
    pub fn merchant(&self) -> MerchantId {
        MerchantId(self.merchant_id)
    }

    pub fn template(&self) -> TemplateId {
        TemplateId(self.template_id)
    }

    pub fn order(&self) -> BackfillOrder {
        if self.newest_first { BackfillOrder::NewestFirst } else { BackfillOrder::OldestFirst }
    }

    pub fn parsed_state(&self) -> StoreResult<BackfillState> {
        BackfillState::parse(&self.state).ok_or_else(|| self.corrupt("state", &self.state))
    }

    pub fn parsed_reprocess(&self) -> StoreResult<Reprocess> {
        Reprocess::parse(&self.reprocess).ok_or_else(|| self.corrupt("reprocess", &self.reprocess))
    }

    fn corrupt(&self, column: &'static str, detail: impl ToString) -> StoreError {
        StoreError::corrupt("backfills", column, format!("{}/{}", self.merchant_id, self.id), detail)
    }
}

impl TryFrom<BackfillRow> for Backfill {
    type Error = StoreError;

    fn try_from(row: BackfillRow) -> StoreResult<Self> {
        let (total, created) = (i64::from(row.total), i64::from(row.created));
        let remaining = if row.exhausted { 0 } else { (total - created).max(0) };
        Ok(Self {
            id: BackfillId(row.id),
            template_id: row.template(),
            state: row.parsed_state()?,
            order: row.order(),
            reprocess: row.parsed_reprocess()?,
            reason: row.reason,
            from: row.from_at,
            to: row.to_at,
            max_active: row.max_active,
            first: row.first_at,
            last: row.last_at,
            progress: BackfillProgress {
                total,
                created,
                running: row.live,
                succeeded: row.succeeded,
                failed: row.failed,
                other: row.other,
                remaining,
            },
            created_at: row.created_at,
            ended_at: row.ended_at,
        })
    }
}
