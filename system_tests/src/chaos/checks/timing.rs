//! Nothing before its time, and nothing after it was called off.

use super::Case;
use crate::chaos::history::{Answer, Call};
use crate::chaos::target::Visit;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// How long a job that was claimed before its cancel may still begin: the executor is told within 2 s, or loses its
/// session within 2 s and stops.
const TOLD_WITHIN: TimeDelta = TimeDelta::seconds(6);
/// The fixed wait that every job of the load asks for after a failure.
const BACKOFF: TimeDelta = TimeDelta::milliseconds(300);
/// How late the target may notice that a caller is gone.
const NOTICED_WITHIN: TimeDelta = TimeDelta::milliseconds(750);

fn first_visits(case: &Case<'_>) -> HashMap<Uuid, DateTime<Utc>> {
    let mut first = HashMap::new();
    for visit in &case.evidence.visits {
        let at = first.entry(visit.job).or_insert(visit.arrived);
        *at = (*at).min(visit.arrived);
    }
    first
}

/// G10: no attempt before the job's time, none before the end of its backoff. Hurried jobs are left out.
pub fn never_early(case: &Case<'_>) -> Vec<String> {
    let hurried: HashSet<Uuid> = case
        .evidence
        .operations
        .iter()
        .filter_map(|op| match op.call {
            Call::RunNow(id) => Some(id),
            _ => None,
        })
        .collect();
    let mut failed: HashMap<(Uuid, i32), DateTime<Utc>> = HashMap::new();
    for execution in case.evidence.executions.iter().filter(|e| ["failed", "timed_out"].contains(&&*e.outcome)) {
        failed.insert((execution.job_id, execution.attempt), execution.finished_at);
    }
    let mut wrong = Vec::new();
    for visit in case.evidence.visits.iter().filter(|visit| !hurried.contains(&visit.job)) {
        let Some(job) = case.jobs.get(&visit.job) else { continue };
        if visit.arrived < job.scheduled_for {
            wrong.push(format!("job {} ran {} early", job.id, job.scheduled_for - visit.arrived));
        }
        if let Some(ended) = failed.get(&(visit.job, visit.attempt - 1))
            && visit.arrived < *ended + BACKOFF
        {
            wrong.push(format!("job {} was tried again {} after its failure", job.id, visit.arrived - *ended));
        }
    }
    wrong
}

/// G11: what was acknowledged as cancelled is, and has not run since; what was asked to stop does not begin anew.
pub fn cancels(case: &Case<'_>) -> Vec<String> {
    let mut visits: HashMap<Uuid, Vec<&Visit>> = HashMap::new();
    for visit in &case.evidence.visits {
        visits.entry(visit.job).or_default().push(visit);
    }
    let mut wrong = Vec::new();
    for op in &case.evidence.operations {
        let (Call::Cancel(id), Answer::Done(status, _)) = (&op.call, &op.answer) else { continue };
        let Some(job) = case.jobs.get(id) else { continue };
        let since = if *status == 200 { op.ended } else { op.ended + TOLD_WITHIN };
        if *status == 200 && job.state != "cancelled" {
            wrong.push(format!("job {id} was cancelled at {} and is {}", op.ended, job.state));
        }
        let after = visits.get(id).into_iter().flatten().filter(|visit| visit.arrived > since);
        wrong
            .extend(after.map(|visit| format!("job {id} was called off at {} and ran at {}", op.ended, visit.arrived)));
    }
    wrong
}

/// G6: a job's effects end before its next attempt begins, unless somebody stood still or the database crashed.
pub fn effects_fenced(case: &Case<'_>) -> Vec<String> {
    if case.evidence.faults.iter().any(|fault| fault.excuses_overlap()) {
        return Vec::new();
    }
    let mut last: HashMap<Uuid, &Visit> = HashMap::new();
    let mut wrong = Vec::new();
    for visit in &case.evidence.visits {
        if let Some(before) = last.insert(visit.job, visit)
            && before.ended.is_none_or(|(ended, _)| ended > visit.arrived + NOTICED_WITHIN)
        {
            let ended = before.ended.map(|(ended, _)| ended - visit.arrived);
            wrong.push(format!(
                "attempts {} and {} of job {} overlap by {ended:?}",
                before.attempt, visit.attempt, visit.job
            ));
        }
    }
    wrong
}

/// Of a template whose occurrences give way no two are executed at once.
pub fn overlap_policy(case: &Case<'_>) -> Vec<String> {
    let first = first_visits(case);
    let mut wrong = Vec::new();
    for op in &case.evidence.operations {
        let (Call::Template { limit: Some(1), .. }, Some(template)) = (&op.call, op.acknowledged().first()) else {
            continue;
        };
        let mut jobs: Vec<_> = case.evidence.jobs.iter().filter(|job| job.template_id == Some(*template)).collect();
        jobs.sort_by_key(|job| job.scheduled_for);
        for (earlier, later) in jobs.iter().zip(jobs.iter().skip(1)) {
            if let (Some(ended), Some(began)) = (earlier.finished_at, first.get(&later.id))
                && *began < ended
            {
                wrong.push(format!("job {} began {} before {} had ended", later.id, ended - *began, earlier.id));
            }
        }
    }
    wrong
}

/// A child begins after all its parents have succeeded, and not at all when one of them has not.
pub fn children_after_parents(case: &Case<'_>) -> Vec<String> {
    let first = first_visits(case);
    let mut wrong = Vec::new();
    for op in &case.evidence.operations {
        let Call::Create { parents, .. } = &op.call else { continue };
        for (child, parent) in
            op.acknowledged().iter().flat_map(|child| parents.iter().map(move |parent| (child, parent)))
        {
            let (Some(began), Some(parent)) = (first.get(child), case.jobs.get(parent)) else { continue };
            match parent.finished_at.filter(|_| parent.state == "succeeded") {
                Some(ended) if ended <= *began => {}
                Some(ended) => {
                    wrong.push(format!("job {child} began {} before its parent {} ended", ended - *began, parent.id))
                }
                None => wrong.push(format!("job {child} ran although its parent {} is {}", parent.id, parent.state)),
            }
        }
    }
    wrong
}
