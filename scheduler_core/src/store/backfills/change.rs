//! Pausing, resuming and cancelling backfills.

use super::read::backfill_in;
use super::take_back::take_back;
use crate::domain::{Backfill, BackfillId, BackfillState, MerchantId, TemplateId};
use crate::store::{Store, StoreError, StoreResult};
use chrono::{DateTime, SubsecRound as _, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// What to do with a backfill.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BackfillChange {
    /// Make no more jobs until it is resumed.
    Pause,
    /// Go on.
    Resume,
    /// Make no more jobs, and take back those that have not started.
    Cancel,
}

/// What became of it.
#[derive(Clone, PartialEq, Debug)]
pub enum BackfillChanged {
    /// It is as was asked for; perhaps it was already.
    Done {
        /// The backfill.
        backfill: Box<Backfill>,
        /// Its jobs that were cancelled.
        cancelled: u64,
    },
    /// There is no such backfill.
    NotFound,
    /// It is over, in this state.
    Ended(BackfillState),
}

impl BackfillChange {
    /// The state that it leads to.
    fn target(self) -> BackfillState {
        match self {
            Self::Pause => BackfillState::Paused,
            Self::Resume => BackfillState::Running,
            Self::Cancel => BackfillState::Cancelled,
        }
    }
}

impl Store {
    /// Changes a backfill. `now`: the present, by the database's clock. Doing it again changes nothing more.
    ///
    /// # Errors
    /// When the database does not do it.
    pub async fn change_backfill(
        &self,
        merchant: MerchantId,
        id: BackfillId,
        change: BackfillChange,
        now: DateTime<Utc>,
    ) -> StoreResult<BackfillChanged> {
        self.pool()
            .within(async {
                let mut transaction = self.pool().begin().await?;
                let changed = change_in(&mut transaction, merchant, id, change, now.trunc_subsecs(6)).await?;
                match changed {
                    BackfillChanged::Done { .. } => transaction.commit().await?,
                    _ => transaction.rollback().await?,
                }
                Ok(changed)
            })
            .await
    }
}

async fn change_in(
    connection: &mut PgConnection,
    merchant: MerchantId,
    id: BackfillId,
    change: BackfillChange,
    now: DateTime<Utc>,
) -> StoreResult<BackfillChanged> {
    let locked: Option<String> =
        sqlx::query_scalar("SELECT state FROM backfills WHERE merchant_id = $1 AND id = $2 FOR UPDATE")
            .bind(merchant.0)
            .bind(id.0)
            .fetch_optional(&mut *connection)
            .await?;
    let Some(name) = locked else {
        return Ok(BackfillChanged::NotFound);
    };
    let state = BackfillState::parse(&name).ok_or_else(|| StoreError::corrupt("backfills", "state", id, &name))?;
    let target = change.target();
    if state != target && state.is_ended() {
        return Ok(BackfillChanged::Ended(state));
    }
    let mut cancelled = 0;
    if state != target {
        set_state(connection, merchant, id, target, now).await?;
        if target == BackfillState::Cancelled {
            cancelled = take_back(connection, merchant, &[id.0]).await?;
        }
    }
    let backfill = backfill_in(connection, merchant, id).await?;
    let backfill = backfill.ok_or_else(|| StoreError::corrupt("backfills", "id", id, "gone under its lock"))?;
    Ok(BackfillChanged::Done { backfill: Box::new(backfill), cancelled })
}

async fn set_state(
    connection: &mut PgConnection,
    merchant: MerchantId,
    id: BackfillId,
    state: BackfillState,
    now: DateTime<Utc>,
) -> StoreResult<()> {
    sqlx::query(
        "UPDATE backfills SET state = $3, looked_at = least(looked_at, $4), ended_at = CASE WHEN $5 THEN $4 END
          WHERE merchant_id = $1 AND id = $2",
    )
    .bind(merchant.0)
    .bind(id.0)
    .bind(state.as_str())
    .bind(now)
    .bind(state.is_ended())
    .execute(connection)
    .await?;
    Ok(())
}

/// Cancels the backfills of a template that is just being deleted, under its lock, as [`BackfillChange::Cancel`] does.
pub(crate) async fn end_those_of(
    connection: &mut PgConnection,
    merchant: MerchantId,
    template: TemplateId,
    now: DateTime<Utc>,
) -> StoreResult<u64> {
    let open: Vec<Uuid> = sqlx::query_scalar(
        "SELECT id FROM backfills WHERE merchant_id = $1 AND template_id = $2 AND ended_at IS NULL ORDER BY id FOR UPDATE",
    )
    .bind(merchant.0)
    .bind(template.0)
    .fetch_all(&mut *connection)
    .await?;
    if open.is_empty() {
        return Ok(0);
    }
    sqlx::query(
        "UPDATE backfills SET state = 'cancelled', reason = 'its template was deleted', ended_at = $3
          WHERE merchant_id = $1 AND id = ANY ($2)",
    )
    .bind(merchant.0)
    .bind(&open)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    take_back(connection, merchant, &open).await
}
