//! Backfills: a stretch of a template's past, run after all or again, a few jobs at a time.
//!
//! ```text
//! running ──pause──▶ paused ──resume──▶ running
//! running ──every time looked at, every job ended──▶ completed
//! running | paused ──cancel, or its template is deleted──▶ cancelled
//! ```
//!
//! A recurrence manager drives it ([`drive`]): one bounded transaction a step, under the lock of the backfill's row, taken
//! with `SKIP LOCKED`, so that any number of managers work on as many backfills and never two on one. A step counts the ends
//! of its jobs, looks at the next nominal times behind the cursor, makes jobs for those that it wants until `max_active`
//! are live, and moves the cursor, all or nothing: a time gets one job from it whatever crashes.
//!
//! Who is first where:
//!
//! * *Two backfills, or a backfill and the materialiser, at one time*: the ledger's key decides. A record is only replaced as
//!   it was when it was judged; who comes second finds another and passes on.
//! * *A cancel and a step*: both hold the backfill's row. After the cancel no job of it is made.
//! * *A cancel and a claim*: the claim key decides. A job that has started goes on; one that has not is cancelled, and its
//!   record becomes what it was before ([`take_back`]).
//! * *A deletion of the template and a step*: the deletion ends the template's backfills under their rows' locks, and a
//!   backfill is begun under the lock of the template. A step takes no lock of the template, so that they cannot wait for
//!   each other in a circle; it goes by the definition as it finds it.
//! * *Ends of jobs* are rows of `backfill_endings`, written by a trigger in the transaction of the end; they wait for nobody.
//!
//! Its jobs are in nobody's way and judged by no overlap policy; concurrency caps of queue, key and merchant hold for them.

mod change;
mod drive;
mod judge;
mod make;
mod read;
mod row;
mod start;
mod take_back;
mod times;

pub use change::{BackfillChange, BackfillChanged};
pub use drive::Driven;
pub use read::BackfillQuery;
pub use start::{BackfillStarted, NewBackfill};

pub(crate) use change::end_those_of;

use super::StoreResult;
use super::templates::row::{TemplateRow, template_columns};
use crate::domain::{MerchantId, TemplateId};
use sqlx::PgConnection;

/// A template that is not deleted, as it is now.
async fn template(
    connection: &mut PgConnection,
    merchant: MerchantId,
    id: TemplateId,
) -> StoreResult<Option<TemplateRow>> {
    let row = sqlx::query_as(concat!(
        "SELECT ",
        template_columns!(),
        " FROM templates WHERE merchant_id = $1 AND id = $2 AND deleted_at IS NULL"
    ));
    Ok(row.bind(merchant.0).bind(id.0).fetch_optional(connection).await?)
}
