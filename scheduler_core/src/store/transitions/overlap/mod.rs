//! Jobs of one template beside each other: what a job has to do that falls due while others are live.
//!
//! A job that has not been tried yet is judged when it is due and not before, by what is *in its way*: the other live
//! jobs of its template that have started, or that come before it (by `scheduled_for`) and are due, too. Jobs of a backfill
//! are in nobody's way. With fewer than `max_concurrent` in its way it may start, and only the claim lets it. Otherwise it
//! gets a [`Verdict`], by the policy that it carries.
//!
//! | policy | in its way: `max_concurrent` | more |
//! |---|---|---|
//! | `skip` | it is skipped ([`skip()`]) | skipped |
//! | `buffer_one` | it waits | one waits already: skipped |
//! | `buffer_all` | it waits | it waits |
//! | `cancel_other`, `terminate_other` | the earliest is ended ([`displace`]) | the earliest are ended |
//! | `allow_all` | it starts | it starts |
//!
//! Who waits is not touched: the claim refuses it, and its cap (`template_limit`, carried by every job that may wait) tells
//! the populator when a place is free. Because the order of `scheduled_for` decides, two that fall due at once never
//! wait for each other.
//!
//! Races, all decided by claim keys: a job that is just being claimed when it is to be skipped or displaced is asked
//! to stop or stays, never both; one that ends by itself meanwhile has ended by itself.

mod displace;
mod due;
mod skip;

pub use displace::Displaced;
pub use due::{OverlapCursor, OverlapPage};
pub use skip::skip;

/// What a job has to do with others in its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It ends as `skipped`.
    Skip,
    /// It waits for its turn.
    Wait,
    /// The earliest of the others have to end, and it waits until they have.
    Displace,
}

impl Verdict {
    /// Reads what `overlap_verdict_v1` says of a job that has others in its way.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "skip" => Some(Self::Skip),
            "wait" => Some(Self::Wait),
            "displace" => Some(Self::Displace),
            _ => None,
        }
    }
}

/// SQL: the other live jobs `o` in the way of the live job `j`; columns, and how many are enough.
///
/// Two ranges. The first goes by name: a job that was moved or held up may find that later ones have started; the upper bound of
/// `scheduled_for` keeps the search to those that can have. The second has the few that were let run before their nominal
/// time. A key without a session is one that this very transaction holds: nothing runs for it.
macro_rules! in_the_way {
    ($columns:literal, $most:literal) => {
        concat!(
            "(SELECT ",
            $columns,
            " FROM jobs_live o
               WHERE o.merchant_id = j.merchant_id AND o.template_id = j.template_id AND o.id <> j.id
                 AND o.scheduled_for <= CASE WHEN j.run_at > j.scheduled_for THEN statement_timestamp()
                                             ELSE j.scheduled_for END
                 AND o.backfill_id IS NULL
                 AND (o.attempt > 0
                      OR CASE WHEN o.scheduled_for < j.scheduled_for
                              THEN o.run_at <= greatest(clock_timestamp(), j.run_at)
                              ELSE (SELECT r.token FROM claims r
                                     WHERE r.merchant_id = o.merchant_id AND r.job_id = o.id AND r.session_id <> '00000000-0000-0000-0000-000000000000') IS NOT NULL END)
               ORDER BY o.scheduled_for
               LIMIT ",
            $most,
            ") UNION ALL (SELECT ",
            $columns,
            " FROM jobs_live o
               WHERE o.merchant_id = j.merchant_id AND o.template_id = j.template_id AND o.id <> j.id
                 AND o.run_at < o.scheduled_for
                 AND o.scheduled_for > CASE WHEN j.run_at > j.scheduled_for THEN statement_timestamp()
                                            ELSE j.scheduled_for END
                 AND o.backfill_id IS NULL
                 AND (o.attempt > 0 OR (SELECT r.token FROM claims r
                                         WHERE r.merchant_id = o.merchant_id AND r.job_id = o.id AND r.session_id <> '00000000-0000-0000-0000-000000000000') IS NOT NULL)
               LIMIT ",
            $most,
            ")"
        )
    };
}

/// SQL: the verdict on the live job `j`; NULL when it may start.
macro_rules! verdict {
    () => {
        concat!(
            "CASE WHEN (j.overlap_skip OR j.overlap IS NOT NULL) AND j.attempt = 0
                  THEN overlap_verdict_v1(j.overlap, j.template_limit, (SELECT count(*) FROM (",
            $crate::store::transitions::overlap::in_the_way!("", "coalesce(j.template_limit, 1) + 1"),
            ") o)) END"
        )
    };
}

pub(crate) use {in_the_way, verdict};
