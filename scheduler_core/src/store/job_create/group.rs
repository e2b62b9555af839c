//! Independent jobs of many requests, in one statement.

use super::NewJob;
use super::insert::{Columns, insert_jobs};
use crate::domain::{JobId, MerchantId};
use crate::store::idempotency::{IdempotencyKey, StoredAnswer, take_over_expired};
use crate::store::{Store, StoreResult};
use sqlx::Row as _;
use std::collections::HashSet;
use std::sync::Arc;
use uuid::Uuid;

/// A single create.
#[derive(Clone, Debug)]
pub struct Single {
    /// The job; it has no parents.
    pub job: NewJob,
    /// Its idempotency key with the answer to be kept. Such a job has no `dedupe_key`: a conflict of that must not
    /// leave a key behind, which takes a transaction ([`Store::create_together`]).
    pub key: Option<(IdempotencyKey, StoredAnswer)>,
}

/// Nothing in the group can conflict.
const PLAIN: &str = concat!(insert_jobs!(""), " RETURNING id");

/// A taken `dedupe_key` leaves its job out.
const DEDUPED: &str = concat!(insert_jobs!(""), " ON CONFLICT DO NOTHING RETURNING id");

/// Keys first, in key order; a job whose key was taken already is left out.
const KEYED: &str = concat!(
    "WITH keys AS (
        INSERT INTO idempotency_keys (merchant_id, key, request_hash, status, response, expires_at)
        SELECT k.merchant_id, k.key, k.request_hash, k.status, k.response, k.expires_at
          FROM unnest($21::uuid[], $22::text[], $23::bytea[], $24::smallint[], $25::text[], $26::timestamptz[])
            AS k (merchant_id, key, request_hash, status, response, expires_at)
         ORDER BY k.merchant_id, k.key",
    take_over_expired!(),
    "), keyed AS (
        SELECT w.id, k.key IS NOT NULL AS taken
          FROM unnest($21::uuid[], $22::text[], $27::uuid[]) AS w (merchant_id, key, id)
          LEFT JOIN keys k ON k.merchant_id = w.merchant_id AND k.key = w.key
    ) ",
    insert_jobs!("LEFT JOIN keyed w ON w.id = n.id WHERE w.taken IS NOT FALSE"),
    " ON CONFLICT DO NOTHING RETURNING id"
);

impl Store {
    /// Creates independent jobs with one statement and one commit. Returns the ids of those that were created; one that
    /// is missing met a taken `dedupe_key` or idempotency key. No two of the jobs may have the same idempotency key.
    ///
    /// # Errors
    /// When the database does not do it. After an error of the class `Unknown` any of the jobs may exist or not, all
    /// alike: [`Store::existing_jobs`] tells.
    pub async fn insert_group(&self, group: &[Arc<Single>]) -> StoreResult<HashSet<JobId>> {
        let columns = Columns::of(group.iter().map(|single| (&single.job, "scheduled")));
        let keyed: Vec<_> = group.iter().filter_map(|single| Some((&single.job, single.key.as_ref()?))).collect();
        let query = if !keyed.is_empty() {
            columns
                .bind(KEYED)
                .bind(keyed.iter().map(|(job, _)| job.merchant.0).collect::<Vec<_>>())
                .bind(keyed.iter().map(|(_, (key, _))| key.key.as_str()).collect::<Vec<_>>())
                .bind(keyed.iter().map(|(_, (key, _))| key.request_hash.as_slice()).collect::<Vec<_>>())
                .bind(keyed.iter().map(|(_, (_, answer))| answer.status as i16).collect::<Vec<_>>())
                .bind(keyed.iter().map(|(_, (_, answer))| answer.body.as_str()).collect::<Vec<_>>())
                .bind(keyed.iter().map(|(_, (key, _))| key.expires_at).collect::<Vec<_>>())
                .bind(keyed.iter().map(|(job, _)| job.id.0).collect::<Vec<_>>())
        } else if group.iter().any(|single| single.job.spec.dedupe_key.is_some()) {
            columns.bind(DEDUPED)
        } else {
            columns.bind(PLAIN)
        };
        let rows = query.fetch_all(self.pool()).await?;
        rows.iter().map(|row| Ok(JobId(row.try_get::<Uuid, _>(0)?))).collect()
    }

    /// Which of these jobs of any merchants exist, live or finished.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn existing_jobs(&self, jobs: &[(MerchantId, JobId)]) -> StoreResult<HashSet<JobId>> {
        let ids: Vec<Uuid> = sqlx::query_scalar(
            "SELECT w.id FROM unnest($1::uuid[], $2::uuid[]) AS w (merchant_id, id)
              WHERE (SELECT j.id FROM jobs_live j WHERE j.merchant_id = w.merchant_id AND j.id = w.id) IS NOT NULL
                 OR (SELECT f.id FROM jobs_finished f
                      WHERE f.merchant_id = w.merchant_id AND f.id = w.id LIMIT 1) IS NOT NULL",
        )
        .bind(jobs.iter().map(|(merchant, _)| merchant.0).collect::<Vec<_>>())
        .bind(jobs.iter().map(|(_, job)| job.0).collect::<Vec<_>>())
        .fetch_all(self.pool())
        .await?;
        Ok(ids.into_iter().map(JobId).collect())
    }

    /// The live job that holds a `dedupe_key`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn dedupe_holder(
        &self,
        merchant: MerchantId,
        queue: &str,
        dedupe_key: &str,
    ) -> StoreResult<Option<JobId>> {
        let id: Option<Uuid> =
            sqlx::query_scalar("SELECT id FROM jobs_live WHERE merchant_id = $1 AND queue = $2 AND dedupe_key = $3")
                .bind(merchant.0)
                .bind(queue)
                .bind(dedupe_key)
                .fetch_optional(self.pool())
                .await?;
        Ok(id.map(JobId))
    }
}
