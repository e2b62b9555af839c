//! `running` → as it was before: an executor gives back a claim that it has not started.
//!
//! The live row stays untouched, so no attempt is spent. A job that was called off in the meantime is finished as
//! cancelled instead, because nobody else would do it.

use super::caps::{after_release, release_caps};
use super::claim::ClaimKey;
use super::finish::finish_gone;
use crate::planted::bent;
use crate::store::{Store, StoreResult};
use uuid::Uuid;

/// What became of claims that were handed back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HandedBack {
    /// Claims that were ours and are gone now.
    pub returned: u64,
    /// Jobs among them that ended as cancelled.
    pub cancelled: u64,
    /// Some cancelled job has others that wait for it.
    pub has_dependents: bool,
    /// Some job gave a place under a concurrency cap back.
    pub released_caps: bool,
}

/// `locked` waits for a cancel that is just being written and sees its outcome.
const HAND_BACK: &str = concat!(
    "WITH wanted AS (
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS w (merchant_id, job_id, token)
     ), unclaimed AS (
         DELETE FROM claims c USING wanted w
          WHERE c.merchant_id = ANY (ARRAY[w.merchant_id]) AND c.job_id = w.job_id AND c.token = w.token
         RETURNING c.merchant_id, c.job_id, c.caps
     ), ",
    release_caps!(),
    ", locked AS (
         SELECT j.merchant_id, j.id, j.cancel_requested_at
           FROM unclaimed u JOIN jobs_live j ON j.merchant_id = ANY (ARRAY[u.merchant_id]) AND j.id = u.job_id
          WHERE j.state || '' IN ('scheduled', 'retrying')",
    after_release!(),
    "       FOR UPDATE OF j
     ), gone AS (
         DELETE FROM jobs_live j USING locked l
          WHERE j.merchant_id = ANY (ARRAY[l.merchant_id]) AND j.id = l.id AND l.cancel_requested_at IS NOT NULL
         RETURNING j.*
     ), cancelled AS (",
    finish_gone!(false, "'cancelled'", "'cancelled'", "g.last_error"),
    "RETURNING has_dependents
     )
     SELECT (SELECT count(*) FROM unclaimed), (SELECT count(*) FROM cancelled),
            (SELECT coalesce(bool_or(has_dependents), false) FROM cancelled), EXISTS (SELECT FROM released)"
);

/// A planted bug: an attempt that never was is counted.
const SPENT: &str = "), spent AS (
    UPDATE jobs_live j SET attempt = j.attempt + 1, state = 'retrying' FROM locked l
     WHERE j.merchant_id = l.merchant_id AND j.id = l.id AND l.cancel_requested_at IS NULL
    ), gone AS (";

impl Store {
    /// Gives claims back. Claims that are no longer ours are passed over, so it may be repeated.
    pub async fn hand_back(&self, claims: &[ClaimKey]) -> StoreResult<HandedBack> {
        let mut claims = claims.to_vec();
        claims.sort_unstable();
        let column = |part: fn(&ClaimKey) -> Uuid| claims.iter().map(part).collect::<Vec<_>>();
        let (returned, cancelled, has_dependents, released_caps): (i64, i64, bool, bool) =
            sqlx::query_as(bent(HAND_BACK, "hand_back_spends_attempt", "), gone AS (", SPENT))
                .bind(column(|key| key.merchant.0))
                .bind(column(|key| key.job.0))
                .bind(column(|key| key.token.0))
                .fetch_one(self.pool())
                .await?;
        let count = |n: i64| u64::try_from(n).unwrap_or(0);
        Ok(HandedBack { returned: count(returned), cancelled: count(cancelled), has_dependents, released_caps })
    }
}
