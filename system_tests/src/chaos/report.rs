//! Tables for people, in Markdown.

use super::nemesis::Fault;
use super::planted::Hunt;
use super::run::Outcome;
use std::time::Duration;

/// The head of the table of faults.
pub const FAULTS_HEAD: &str = "| fault | seed | injected | jobs | executions | lost | doubly accepted | other violations | extra executions | recovery p50 / p99 / max |\n|---|---|---|---|---|---|---|---|---|---|";

/// One line of it.
pub fn fault_line(fault: &str, seed: u64, outcome: &Outcome) -> String {
    let lost = outcome.found_by(&["durable", "alive", "one record per occurrence"]);
    let doubly = outcome.found_by(&["single acceptance", "one end per job"]);
    let other = outcome.violations.len() - lost - doubly;
    let (injected, jobs, visits, extra) = (outcome.injected.times, outcome.jobs, outcome.visits, outcome.extra);
    let recovery = quantiles(&outcome.injected.recoveries);
    format!(
        "| {fault} | {seed} | {injected} | {jobs} | {visits} | {lost} | {doubly} | {other} | {extra} | {recovery} |"
    )
}

/// The head of the table of planted bugs.
pub const BUGS_HEAD: &str = "| planted bug | what is wrong | fault | caught by | after |\n|---|---|---|---|---|";

/// One line of it.
pub fn bug_line(hunt: &Hunt) -> String {
    let (checks, after) = match hunt.found {
        Some((_, after)) => (hunt.checks().join(", "), format!("{:.0} s", after.as_secs_f64())),
        None => ("**not caught**".to_owned(), "–".to_owned()),
    };
    format!("| `{}` | {} | {} | {checks} | {after} |", hunt.bug.name, hunt.bug.what, hunt.bug.fault.name())
}

fn quantiles(times: &[Duration]) -> String {
    let mut times = times.to_vec();
    times.sort_unstable();
    let at = |share: f64| times.get(((times.len() as f64 * share).ceil() as usize).max(1) - 1);
    match (at(0.5), at(0.99), times.last()) {
        (Some(p50), Some(p99), Some(max)) => {
            format!("{:.2} / {:.2} / {:.2} s", p50.as_secs_f64(), p99.as_secs_f64(), max.as_secs_f64())
        }
        _ => "–".to_owned(),
    }
}

/// What went wrong, in full, and how to see it again.
pub fn violations(fault: Fault, seed: u64, load: Duration, outcome: &Outcome) -> String {
    let mut text = String::new();
    for violation in outcome.violations.iter().take(40) {
        text.push_str(&format!("  {}: {}\n", violation.check, violation.detail));
    }
    if !outcome.violations.is_empty() {
        let again = format!("make chaos FAULT={} SEED={seed} SECONDS={}", fault.name(), load.as_secs());
        text.push_str(&format!("  again: {again}\n  logs: {}\n", outcome.logs.display()));
    }
    for complaint in &outcome.injected.complaints {
        text.push_str(&format!("  note: {complaint}\n"));
    }
    text
}
