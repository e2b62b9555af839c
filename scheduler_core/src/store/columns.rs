//! How values of the domain go into statements and come out of rows, where many statements need the same.

use super::transitions::claim::ClaimKey;
use crate::domain::{JobId, MerchantId, Token};
use uuid::Uuid;

/// The key of a job, as the columns `merchant_id, id` say it.
pub(crate) type KeyRow = (Uuid, Uuid);

/// A number of rows for `LIMIT`.
pub(crate) fn row_limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// The key behind which a page begins; nil lies before every key there is.
pub(crate) fn behind(after: Option<(MerchantId, JobId)>) -> KeyRow {
    after.map_or((Uuid::nil(), Uuid::nil()), |(merchant, job)| (merchant.0, job.0))
}

/// Keys as two arrays, for `unnest`.
pub(crate) fn key_columns(jobs: &[(MerchantId, JobId)]) -> (Vec<Uuid>, Vec<Uuid>) {
    jobs.iter().map(|(merchant, job)| (merchant.0, job.0)).unzip()
}

/// Keys read back.
pub(crate) fn keys(rows: Vec<KeyRow>) -> Vec<(MerchantId, JobId)> {
    rows.into_iter().map(|(merchant, job)| (MerchantId(merchant), JobId(job))).collect()
}

/// Claims read back, from the columns `merchant_id, job_id, token`.
pub(crate) fn claims(rows: Vec<(Uuid, Uuid, Uuid)>) -> Vec<ClaimKey> {
    let claim =
        |(merchant, job, token)| ClaimKey { merchant: MerchantId(merchant), job: JobId(job), token: Token(token) };
    rows.into_iter().map(claim).collect()
}
