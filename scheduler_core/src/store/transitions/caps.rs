//! Giving places under concurrency caps back, in the statement that removes the claims.
//!
//! A claim names the caps that it was counted against (`claims.caps`, NULL for most). Every statement that removes claims
//! has a CTE `unclaimed` with `merchant_id` and `caps` of the removed ones, appends [`release_caps`], and puts
//! [`after_release`] into the condition of its first change to jobs, so that locks are taken in the order claims,
//! counters, jobs.

/// `released`: the counters of the caps of `unclaimed`, taken back in key order. Costs nothing when none had any.
///
/// A counter that is lower than it should be stays at 0; the comparison with the claims ([`crate::store::caps`]) finds out.
macro_rules! release_caps {
    () => {
        "released AS (
             UPDATE cap_counters k SET running = greatest(0, k.running - r.claims), changed_at = clock_timestamp()
               FROM (SELECT u.merchant_id, cap.name, count(*)::integer AS claims
                       FROM unclaimed u CROSS JOIN unnest(u.caps) AS cap (name)
                      GROUP BY u.merchant_id, cap.name
                      ORDER BY u.merchant_id, cap.name) r
              WHERE k.merchant_id = ANY (ARRAY[r.merchant_id]) AND k.cap = r.name
             RETURNING k.cap
         )"
    };
}

/// A condition that is always true, and only known once `released` is done.
macro_rules! after_release {
    () => {
        " AND (SELECT count(*) FROM released) >= 0 "
    };
}

pub(crate) use {after_release, release_caps};
