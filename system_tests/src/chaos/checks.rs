//! What must be true in the end. Each check looks at the evidence alone and says everything that it finds wrong.

mod attempts;
mod caps;
mod creates;
mod timing;

use super::evidence::{Evidence, JobRow};
use std::collections::HashMap;
use uuid::Uuid;

/// Something that was promised and is not so.
#[derive(Clone, PartialEq, Debug)]
pub struct Violation {
    /// Which check found it.
    pub check: &'static str,
    /// What exactly.
    pub detail: String,
}

/// A check with its name.
pub type Check = (&'static str, fn(&Case<'_>) -> Vec<String>);

/// The checks, in the order of the promises.
pub const CHECKS: [Check; 24] = [
    ("durable", creates::durable),
    ("no phantom", creates::no_phantom),
    ("alive", creates::alive),
    ("one key, one job", creates::one_key_one_job),
    ("tenants apart", creates::tenants_apart),
    ("one record per occurrence", creates::one_record_per_occurrence),
    ("one end per job", attempts::one_end_per_job),
    ("single acceptance", attempts::single_acceptance),
    ("accepted as it ran", attempts::accepted_as_it_ran),
    ("legal walk", attempts::legal_walk),
    ("attempts within limits", attempts::within_limits),
    ("lost with its session", attempts::lost_with_its_session),
    ("lost is final", attempts::lost_is_final),
    ("no claims left", attempts::no_claims_left),
    ("leases overdue", attempts::leases_overdue),
    ("no attempt wasted", attempts::no_attempt_wasted),
    ("dead letters have alerts", attempts::dead_letters_have_alerts),
    ("never early", timing::never_early),
    ("cancels", timing::cancels),
    ("effects fenced", timing::effects_fenced),
    ("overlap policy", timing::overlap_policy),
    ("within caps", caps::within_caps),
    ("children after parents", timing::children_after_parents),
    ("Redis agrees", creates::redis_agrees),
];

/// The evidence with its jobs by id.
pub struct Case<'a> {
    /// All of it.
    pub evidence: &'a Evidence,
    /// Jobs by id.
    pub jobs: HashMap<Uuid, &'a JobRow>,
}

/// Everything that is wrong.
pub fn check(evidence: &Evidence) -> Vec<Violation> {
    let jobs = evidence.jobs.iter().map(|job| (job.id, job)).collect();
    let case = Case { evidence, jobs };
    let of = |(check, look): Check| look(&case).into_iter().map(move |detail| Violation { check, detail });
    CHECKS.into_iter().flat_map(of).collect()
}
