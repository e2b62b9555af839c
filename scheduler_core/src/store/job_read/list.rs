//! Lists of jobs, newest first.

use super::filter::JobFilter;
use super::row::{self, FINISHED, FINISHED_COLUMNS, LIVE, LIVE_COLUMNS};
use crate::domain::{Job, MerchantId};
use crate::store::{Store, StoreResult};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

/// Payloads above this many bytes are left out of lists: a page of the largest would be hundreds of megabytes.
const LIST_PAYLOAD_BYTES: i32 = 16 * 1024;

impl Store {
    /// A merchant's jobs that pass the filter, newest first by id, those older than `after`; at most `rows`.
    ///
    /// Both branches read their index on (merchant, id) backwards, or a narrower one where the filter has it, and stop
    /// at `rows`.
    ///
    /// # Errors
    /// When the database does not answer; a filter that passes next to nothing may take longer than a statement may.
    pub async fn list_jobs(
        &self,
        merchant: MerchantId,
        filter: &JobFilter,
        after: Option<Uuid>,
        rows: usize,
    ) -> StoreResult<Vec<Job>> {
        let mut query = QueryBuilder::new("SELECT * FROM (");
        if filter.wants_live() {
            push_branch(&mut query, (LIVE_COLUMNS, LIVE, "j"), merchant, after, rows, |query| filter.push_live(query));
        }
        if filter.wants_live() && filter.wants_finished() {
            query.push(" UNION ALL ");
        }
        if filter.wants_finished() {
            let finished = (FINISHED_COLUMNS, FINISHED, "f");
            push_branch(&mut query, finished, merchant, after, rows, |query| filter.push_finished(query));
        }
        if !filter.wants_live() && !filter.wants_finished() {
            return Ok(Vec::new());
        }
        query.push(") AS page ORDER BY id DESC LIMIT ").push_bind(rows as i64);
        // Not kept prepared: there are too many shapes, and each is planned best for its values.
        let found = query.build().persistent(false).fetch_all(self.pool()).await?;
        found.into_iter().map(row::job).collect()
    }
}

fn push_branch(
    query: &mut QueryBuilder<Postgres>,
    (columns, from, table): (&str, &str, &str),
    merchant: MerchantId,
    after: Option<Uuid>,
    rows: usize,
    filter: impl FnOnce(&mut QueryBuilder<Postgres>),
) {
    query.push("(SELECT ").push(columns).push(", CASE WHEN octet_length(").push(table).push(".payload) <= ");
    query
        .push_bind(LIST_PAYLOAD_BYTES)
        .push(" THEN ")
        .push(table)
        .push(".payload END AS payload, coalesce(octet_length(");
    query
        .push(table)
        .push(".payload) > ")
        .push_bind(LIST_PAYLOAD_BYTES)
        .push(", false) AS payload_omitted ")
        .push(from);
    query.push(" WHERE ").push(table).push(".merchant_id = ").push_bind(merchant.0);
    if let Some(after) = after {
        query.push(" AND ").push(table).push(".id < ").push_bind(after);
    }
    filter(query);
    query.push(" ORDER BY ").push(table).push(".id DESC LIMIT ").push_bind(rows as i64).push(")");
}
