//! G12: never more at once than may be.

use super::Case;
use crate::chaos::generator::{KEY_LIMIT, LIMITED, QUEUE_LIMIT};
use crate::chaos::history::Call;
use crate::chaos::target::{End, Visit};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;
use uuid::Uuid;

/// How late the target may notice that a caller is gone.
const NOTICED_WITHIN: TimeDelta = TimeDelta::milliseconds(750);

/// Names and limits of the caps that a visit counts against.
type Caps = BTreeMap<String, (usize, Vec<(DateTime<Utc>, DateTime<Utc>)>)>;

/// Of a queue, a key, a template no more run at once than its limit says, by what the target saw. Not judged where effects may
/// outlive their claims.
pub fn within_caps(case: &Case<'_>) -> Vec<String> {
    if case.evidence.faults.iter().any(|fault| fault.excuses_overlap()) {
        return Vec::new();
    }
    let templates = limits_of_templates(case);
    let mut caps = Caps::new();
    for visit in &case.evidence.visits {
        let Some(job) = case.jobs.get(&visit.job) else { continue };
        let mut count = |name: String, limit| caps.entry(name).or_insert((limit, Vec::new())).1.push(span(visit));
        if job.queue == LIMITED {
            count(format!("queue of {}", job.merchant_id), QUEUE_LIMIT);
            if let Some(key) = &job.concurrency_key {
                count(format!("key {key} of {}", job.merchant_id), KEY_LIMIT);
            }
        }
        if let Some((template, limit)) = job.template_id.and_then(|id| Some((id, *templates.get(&id)?))) {
            count(format!("template {template}"), limit);
        }
    }
    caps.into_iter().filter_map(|(name, (limit, spans))| exceeded(&name, limit, &spans)).collect()
}

fn limits_of_templates(case: &Case<'_>) -> BTreeMap<Uuid, usize> {
    let limited = case.evidence.operations.iter().filter_map(|op| match &op.call {
        Call::Template { limit: Some(limit), .. } => Some((*op.acknowledged().first()?, *limit)),
        _ => None,
    });
    limited.collect()
}

/// From when to when a visit certainly went on.
fn span(visit: &Visit) -> (DateTime<Utc>, DateTime<Utc>) {
    let end = match visit.ended {
        Some((ended, End::Answered(_))) => ended,
        Some((ended, End::HungUp)) => ended - NOTICED_WITHIN,
        None => visit.arrived,
    };
    (visit.arrived, end.max(visit.arrived))
}

fn exceeded(name: &str, limit: usize, spans: &[(DateTime<Utc>, DateTime<Utc>)]) -> Option<String> {
    let spans = spans.iter().filter(|(from, to)| from < to);
    // Ends before beginnings of the same moment.
    let mut moments: Vec<(DateTime<Utc>, bool)> =
        spans.clone().flat_map(|(from, to)| [(*from, true), (*to, false)]).collect();
    moments.sort_unstable();
    let mut now = 0_usize;
    for (at, begins) in moments {
        now = if begins { now + 1 } else { now.saturating_sub(1) };
        if now > limit {
            let beside: Vec<String> = spans
                .filter(|(from, to)| *from <= at && at < *to || *from == at)
                .map(|(from, to)| format!("{} to {}", from.time(), to.time()))
                .collect();
            return Some(format!("{name}: {now} ran at {}, and {limit} may: {}", at.time(), beside.join(", ")));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(milliseconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(milliseconds).unwrap()
    }

    #[test]
    fn one_after_the_other_is_well_and_one_beside_the_other_is_not() {
        assert_eq!(exceeded("a", 1, &[(at(0), at(10)), (at(10), at(20))]), None);
        assert!(exceeded("a", 1, &[(at(0), at(11)), (at(10), at(20))]).unwrap().contains("2 ran"));
        assert_eq!(exceeded("a", 1, &[(at(5), at(5)), (at(10), at(20))]), None, "nothing is known of how long it took");
        assert_eq!(exceeded("a", 2, &[(at(0), at(11)), (at(10), at(20)), (at(11), at(12))]), None);
    }
}
