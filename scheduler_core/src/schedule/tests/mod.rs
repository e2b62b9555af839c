//! Tests of the schedules, by subject. Every expectation is a table; the oracles are slow and obviously right.
#![allow(clippy::unwrap_used)]

mod adversarial;
mod calendars;
mod clock_changes;
mod days;
mod days_oracle;
mod hash_every;
mod importers;
mod independent;
mod interval_once;
mod objects;
mod oracle;
mod peer;
mod real_rules;
mod rrule;
mod syntax;
mod timelines;
mod unions;
mod unusual_zones;
mod windows;
mod wording;

use serde_json::json;

use super::*;

/// An instant from its RFC 3339 form.
fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn context() -> EvalContext<'static> {
    EvalContext::new(at("2026-01-01T00:00:00Z"), Uuid::nil())
}

fn parsed(value: Value) -> Schedule {
    Schedule::parse(&value).unwrap_or_else(|errors| panic!("{value}: {errors:?}"))
}

fn cron(expression: &str, zone: &str) -> Schedule {
    parsed(json!({"kind": "cron", "expression": expression, "timezone": zone}))
}

/// All details of a refusal, one per line.
fn refusal(value: &Value) -> String {
    let errors = Schedule::parse(value).err().unwrap_or_else(|| panic!("{value} was accepted"));
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn cron_refusal(expression: &str) -> String {
    refusal(&json!({"kind": "cron", "expression": expression}))
}

/// The occurrences that run.
fn runs<'a>(schedule: &'a Schedule, after: &str) -> impl Iterator<Item = Occurrence> + use<'a> {
    schedule.occurrences(at(after), &context()).filter(Occurrence::runs)
}

/// The next `count` occurrences in their zone, as `2026-03-08T03:00-04:00`, with ` gap` or ` fold` behind them.
fn local(schedule: &Schedule, after: &str, count: usize) -> Vec<String> {
    let shown = |occurrence: Occurrence| {
        let local = occurrence.at.with_timezone(&schedule.timezone());
        let note = match occurrence.note {
            Some(OccurrenceNote::DstGap) => " gap",
            Some(OccurrenceNote::DstFold) => " fold",
            None => "",
        };
        format!("{}{note}", local.format("%Y-%m-%dT%H:%M%:z"))
    };
    runs(schedule, after).take(count).map(shown).collect()
}

/// The next `count` occurrences in UTC, to the second.
fn utc(schedule: &Schedule, after: &str, count: usize) -> Vec<String> {
    runs(schedule, after).take(count).map(|occurrence| occurrence.at.format("%Y-%m-%dT%H:%M:%S").to_string()).collect()
}

/// One row: expression, zone, after, the next occurrences.
type LocalRow<'a> = (&'a str, &'a str, &'a str, &'a [&'a str]);

fn check_local(table: &[LocalRow<'_>]) {
    for (expression, zone, after, expected) in table {
        assert_eq!(local(&cron(expression, zone), after, expected.len()), *expected, "{expression} in {zone}");
    }
}
