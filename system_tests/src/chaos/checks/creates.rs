//! What was acknowledged is there, and nothing else is.

use super::Case;
use crate::chaos::history::{Answer, Call, Operation};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// G1: every id that was acknowledged names a job.
pub fn durable(case: &Case<'_>) -> Vec<String> {
    let creates =
        case.evidence.operations.iter().filter(|op| matches!(op.call, Call::Create { .. } | Call::Redrive(_)));
    let mut lost: Vec<String> = creates
        .flat_map(|op| op.acknowledged().iter().map(move |id| (op, id)))
        .filter(|(_, id)| !case.jobs.contains_key(id))
        .map(|(op, id)| format!("job {id} was acknowledged at {} and does not exist", op.ended))
        .collect();
    let templates: HashSet<Uuid> = case.evidence.templates.iter().map(|(id, _)| *id).collect();
    let made = case.evidence.operations.iter().filter(|op| matches!(op.call, Call::Template { .. }));
    let gone = made.flat_map(Operation::acknowledged).filter(|id| !templates.contains(id));
    lost.extend(gone.map(|id| format!("template {id} was acknowledged and does not exist")));
    lost
}

/// Every job was asked for; what was refused left nothing behind.
pub fn no_phantom(case: &Case<'_>) -> Vec<String> {
    let (mut asked, mut possible): (HashSet<&str>, HashSet<&str>) = Default::default();
    for op in &case.evidence.operations {
        if let Call::Create { external_ids, .. } = &op.call {
            asked.extend(external_ids.iter().map(String::as_str));
            if !matches!(op.answer, Answer::Refused(_)) {
                possible.extend(external_ids.iter().map(String::as_str));
            }
        }
    }
    let own = case.evidence.jobs.iter().filter(|job| job.template_id.is_none() && job.redriven_from.is_none());
    own.filter_map(|job| match job.external_id.as_deref() {
        Some(name) if possible.contains(name) => None,
        Some(name) if asked.contains(name) => Some(format!("job {} ({name}) was refused and exists", job.id)),
        name => Some(format!("job {} ({name:?}) was never asked for", job.id)),
    })
    .collect()
}

/// G4: nothing that is due is left, and every job that exists has come to an end.
pub fn alive(case: &Case<'_>) -> Vec<String> {
    let live = case.evidence.jobs.iter().filter(|job| job.live);
    live.map(|job| {
        format!("job {} is still {} (attempt {}, due {})", job.id, job.state, job.attempt, job.scheduled_for)
    })
    .collect()
}

/// G2: all answers to one key of one merchant name the same jobs, and these exist once.
pub fn one_key_one_job(case: &Case<'_>) -> Vec<String> {
    let mut answers: HashMap<(usize, &str), HashSet<&[Uuid]>> = HashMap::new();
    let mut wrong = Vec::new();
    for op in &case.evidence.operations {
        if let (Call::Create { key: Some(key), .. }, Answer::Done(_, ids)) = (&op.call, &op.answer) {
            answers.entry((op.merchant, key)).or_default().insert(ids);
        }
    }
    for ((merchant, key), ids) in answers {
        if ids.len() > 1 {
            wrong.push(format!("key {key} of merchant {merchant} was answered with {ids:?}"));
        }
    }
    let mut named: HashMap<(Uuid, &str), u32> = HashMap::new();
    for job in case.evidence.jobs.iter().filter(|job| job.redriven_from.is_none()) {
        if let Some(name) = &job.external_id {
            *named.entry((job.merchant_id, name)).or_default() += 1;
        }
    }
    wrong.extend(named.iter().filter(|(_, n)| **n > 1).map(|((_, name), n)| format!("{n} jobs are called {name}")));
    wrong
}

/// G13: what a merchant is told of is its own, and so is what the target is told.
pub fn tenants_apart(case: &Case<'_>) -> Vec<String> {
    let whose = |id: &Uuid| case.jobs.get(id).map(|job| job.merchant_id);
    let merchant = |index: usize| case.evidence.merchants.get(index).copied();
    let mut wrong: Vec<String> = Vec::new();
    for op in case.evidence.operations.iter().filter(|op| !matches!(op.call, Call::Template { .. })) {
        let foreign =
            op.acknowledged().iter().filter(|id| whose(id).is_some_and(|of| Some(of) != merchant(op.merchant)));
        wrong.extend(foreign.map(|id| format!("merchant {} was answered with the foreign job {id}", op.merchant)));
    }
    for visit in &case.evidence.visits {
        let (told, owner) = (merchant(visit.merchant), whose(&visit.job));
        if told.is_some() && owner.is_some() && told != owner {
            wrong.push(format!("job {} ran with the payload of merchant {}", visit.job, visit.merchant));
        }
    }
    wrong
}

/// G3: each multiple of the period, from the template's creation to its end, has one record, and each job of the ledger
/// exists. The evaluator here is arithmetic on the epoch and knows nothing of the scheduler's.
pub fn one_record_per_occurrence(case: &Case<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for op in &case.evidence.operations {
        let (Call::Template { every_seconds, .. }, Some(id)) = (&op.call, op.acknowledged().first()) else { continue };
        let Some((_, created)) = case.evidence.templates.iter().find(|(template, _)| template == id) else { continue };
        let ended = case.evidence.operations.iter().find(|end| end.call == Call::DeleteTemplate(*id));
        let Some(ended) = ended else { continue };
        let mut records: HashMap<i64, u32> = HashMap::new();
        for record in case.evidence.occurrences.iter().filter(|record| record.template_id == *id) {
            *records.entry(record.nominal_at.timestamp_micros()).or_default() += 1;
            if record.job_id.is_some_and(|job| !case.jobs.contains_key(&job)) {
                wrong.push(format!("the job of {id} at {} ({}) does not exist", record.nominal_at, record.outcome));
            }
        }
        let period = every_seconds * 1_000_000;
        let first = created.timestamp_micros().div_euclid(period) + 1;
        let last = ended.sent.timestamp_micros().div_euclid(period);
        let missing = (first..=last).map(|n| n * period).filter(|at| records.get(at) != Some(&1));
        wrong.extend(missing.map(|at| format!("{id} has {:?} records of {at} µs", records.get(&at))));
        let strange = records.keys().filter(|at| *at % period != 0);
        wrong.extend(strange.map(|at| format!("{id} has a record of {at} µs, which is no time of it")));
    }
    wrong.sort();
    wrong.dedup();
    wrong
}

/// G8: when nothing is due, Redis does not say that something is.
pub fn redis_agrees(case: &Case<'_>) -> Vec<String> {
    match case.evidence.ready_members {
        0 => Vec::new(),
        left => vec![format!("{left} members are left in the ready sets although nothing is due")],
    }
}
