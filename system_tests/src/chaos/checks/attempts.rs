//! Every attempt has one end that counts.

use super::Case;
use crate::chaos::evidence::ExecutionRow;
use crate::chaos::target::{End, Visit};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

fn by_job<'a>(case: &Case<'a>) -> HashMap<Uuid, Vec<&'a ExecutionRow>> {
    let mut of: HashMap<Uuid, Vec<&ExecutionRow>> = HashMap::new();
    for execution in &case.evidence.executions {
        of.entry(execution.job_id).or_default().push(execution);
    }
    of
}

/// G5: a job is there once: live, or finished.
pub fn one_end_per_job(case: &Case<'_>) -> Vec<String> {
    let mut seen = HashSet::new();
    let twice = case.evidence.jobs.iter().filter(|job| !seen.insert(job.id));
    twice.map(|job| format!("job {} is there twice, here as {}", job.id, job.state)).collect()
}

/// G5: no attempt is recorded twice.
pub fn single_acceptance(case: &Case<'_>) -> Vec<String> {
    let mut seen = HashSet::new();
    let twice = case.evidence.executions.iter().filter(|execution| !seen.insert(execution.id));
    let mut wrong: Vec<String> =
        twice.map(|e| format!("execution {} of job {} is recorded twice ({})", e.id, e.job_id, e.outcome)).collect();
    for (job, executions) in by_job(case) {
        let succeeded = executions.iter().filter(|execution| execution.outcome == "succeeded").count();
        if succeeded > 1 {
            wrong.push(format!("job {job} has succeeded {succeeded} times"));
        }
    }
    wrong
}

/// What was accepted was executed, by this attempt, and ended as it is recorded.
pub fn accepted_as_it_ran(case: &Case<'_>) -> Vec<String> {
    let visits: HashMap<Uuid, &Visit> = case.evidence.visits.iter().map(|visit| (visit.execution, visit)).collect();
    let mut wrong = Vec::new();
    for execution in case.evidence.executions.iter().filter(|execution| execution.outcome != "lost") {
        match visits.get(&execution.id) {
            None if execution.outcome == "succeeded" => {
                wrong.push(format!("job {} succeeded by {} without a visit", execution.job_id, execution.id));
            }
            Some(visit) if visit.attempt != execution.attempt => wrong.push(format!(
                "execution {} of job {} ran as attempt {} and counted as {}",
                execution.id, execution.job_id, visit.attempt, execution.attempt
            )),
            Some(visit) => {
                let well = matches!(visit.ended, Some((_, End::Answered(200..300))));
                if execution.outcome == "succeeded" && !well {
                    wrong.push(format!("execution {} counted as a success and was none: {visit:?}", execution.id));
                }
            }
            None => {}
        }
    }
    let strangers = case.evidence.visits.iter().filter(|visit| !case.jobs.contains_key(&visit.job));
    wrong.extend(strangers.map(|visit| format!("job {} ran and does not exist", visit.job)));
    wrong
}

/// The attempts of a job are 1, 2, 3 … without gaps, and its end follows from the last.
pub fn legal_walk(case: &Case<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    let executions = by_job(case);
    for job in case.evidence.jobs.iter().filter(|job| !job.live) {
        let mut numbers: Vec<i32> = executions.get(&job.id).into_iter().flatten().map(|e| e.attempt).collect();
        numbers.sort_unstable();
        if numbers != (1..=job.attempt).collect::<Vec<_>>() {
            wrong.push(format!("job {} ({}) says {} attempts and has {numbers:?}", job.id, job.state, job.attempt));
        }
        let last = executions.get(&job.id).into_iter().flatten().max_by_key(|e| e.attempt);
        let fits = match (job.state.as_str(), job.reason.as_deref()) {
            ("succeeded", None) => last.is_some_and(|last| last.outcome == "succeeded"),
            ("dead", Some("exhausted")) => job.attempt - job.crashes == job.max_attempts,
            ("dead", Some("not_retryable")) => last.is_some_and(|last| last.outcome == "failed"),
            ("dead", Some("crashed")) => last.is_some_and(|last| last.outcome == "lost"),
            ("cancelled" | "skipped" | "expired", Some(_)) => last.is_none_or(|last| last.outcome != "succeeded"),
            _ => false,
        };
        if !fits {
            wrong.push(format!("job {} ended {} ({:?}) after {last:?}", job.id, job.state, job.reason));
        }
    }
    wrong
}

/// G9: failures within what is allowed; every lost attempt is counted as one.
pub fn within_limits(case: &Case<'_>) -> Vec<String> {
    let executions = by_job(case);
    let mut wrong = Vec::new();
    for job in &case.evidence.jobs {
        let lost = executions.get(&job.id).into_iter().flatten().filter(|e| e.outcome == "lost").count();
        if job.attempt - job.crashes > job.max_attempts {
            wrong.push(format!(
                "job {} has failed {} times of {}",
                job.id,
                job.attempt - job.crashes,
                job.max_attempts
            ));
        }
        if job.crashes != lost as i32 {
            wrong.push(format!("job {} has lost {lost} attempts and counts {}", job.id, job.crashes));
        }
    }
    wrong
}

/// G7: an attempt is lost only with the session that ran it, and not before.
pub fn lost_with_its_session(case: &Case<'_>) -> Vec<String> {
    let lost: HashMap<Uuid, _> = case.evidence.sessions.iter().map(|session| (session.id, session.lost_at)).collect();
    let attempts = case.evidence.executions.iter().filter(|execution| execution.outcome == "lost");
    let alive = attempts.filter(|execution| match lost.get(&execution.session_id) {
        // Its row may have been lost in a crash of the database: it does not wait for the disk.
        None => false,
        Some(None) => true,
        Some(Some(lost_at)) => *lost_at > execution.finished_at,
    });
    alive.map(|e| format!("attempt {} of job {} was taken from a living session", e.attempt, e.job_id)).collect()
}

/// A session that was declared lost is never renewed.
pub fn lost_is_final(case: &Case<'_>) -> Vec<String> {
    let renewed = case.evidence.sessions.iter().filter(|s| s.lost_at.is_some_and(|lost_at| s.renewed_at > lost_at));
    renewed
        .map(|s| format!("session {} was renewed at {} although lost at {:?}", s.id, s.renewed_at, s.lost_at))
        .collect()
}

/// Nothing runs in the end, so nothing is claimed.
pub fn no_claims_left(case: &Case<'_>) -> Vec<String> {
    match case.evidence.claims {
        0 => Vec::new(),
        left => vec![format!("{left} claims are left over")],
    }
}

/// The watchers' gauge of claims that nobody takes back reads 0.
pub fn leases_overdue(case: &Case<'_>) -> Vec<String> {
    match case.evidence.leases_overdue {
        Some(0.0) => Vec::new(),
        Some(overdue) => vec![format!("leases_overdue reads {overdue}")],
        None => vec!["no watcher shows leases_overdue".to_owned()],
    }
}

/// G15: under faults that end no session, every attempt counts.
pub fn no_attempt_wasted(case: &Case<'_>) -> Vec<String> {
    if !case.evidence.faults.iter().all(|fault| fault.costs_no_attempt()) {
        return Vec::new();
    }
    let lost = case.evidence.executions.iter().filter(|execution| execution.outcome == "lost");
    let mut wrong: Vec<String> = lost.map(|e| format!("attempt {} of job {} was lost", e.attempt, e.job_id)).collect();
    let recorded: HashSet<Uuid> = case.evidence.executions.iter().map(|execution| execution.id).collect();
    let extra = case.evidence.visits.iter().filter(|visit| !recorded.contains(&visit.execution));
    wrong.extend(extra.map(|v| format!("execution {} of job {} counted for nothing", v.execution, v.job)));
    wrong
}

/// G9, G14: whatever died has an alert with its key.
pub fn dead_letters_have_alerts(case: &Case<'_>) -> Vec<String> {
    let alerted: HashSet<Uuid> = case.evidence.alerts.iter().map(|(merchant, _)| *merchant).collect();
    let dead = case.evidence.jobs.iter().filter(|job| job.state == "dead");
    let silent = dead.filter(|job| match job.template_id {
        Some(template) => !case.evidence.alerts.iter().any(|(_, key)| key.contains(&template.to_string())),
        None => !alerted.contains(&job.merchant_id),
    });
    silent.map(|job| format!("job {} died ({:?}) and nobody is told", job.id, job.reason)).collect()
}
