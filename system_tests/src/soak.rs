//! Mixed load for long: memory, file descriptors, connections and tables must not grow.

use crate::chaos::checks::check;
use crate::chaos::fleet::Fleet;
use crate::chaos::generator::{Client, Generator};
use crate::chaos::history::History;
use crate::chaos::nemesis::Fault;
use crate::chaos::run::{gather, run_out};
use crate::chaos::servers::Servers;
use crate::chaos::target::Target;
use crate::disconnects::descriptors;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use test_support::Random;

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(5);
/// What may grow between the second quarter of the run and its last: so many percent, and so much besides.
const MEMORY: Allowance = Allowance { percent: 25, besides: 24 << 20 };
const DESCRIPTORS: Allowance = Allowance { percent: 25, besides: 16 };
const CONNECTIONS: Allowance = Allowance { percent: 25, besides: 10 };
const TABLES: Allowance = Allowance { percent: 50, besides: 8 << 20 };

/// The tables that hold the present, and must not remember the past.
const SIZES: &str = "
    SELECT t, pg_total_relation_size(t::regclass)
      FROM unnest(ARRAY['jobs_live', 'claims', 'sessions', 'job_dependencies', 'parent_endings']) AS t";
const OPEN: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()";

#[derive(Clone, Copy)]
struct Allowance {
    percent: u64,
    besides: u64,
}

/// Measurements over time, by what was measured.
type Series = BTreeMap<String, (Allowance, Vec<u64>)>;

/// Runs for so long; prints the table and says whether all stayed flat and every promise was kept.
#[expect(clippy::print_stdout, reason = "a program's report")]
pub async fn run(time: Duration) -> bool {
    let servers = Servers::start().await;
    let fleet = Fleet::start(&servers, &[]).await;
    let (target, history) = (Target::start().await, History::default());
    let generator = Generator::new(Client::new(&fleet, &target.url(), &history), Random::new(1));
    generator.limit_queues().await;
    let templates = generator.create_templates().await;
    let deadline = Instant::now() + time;
    let load = tokio::spawn({
        let generator = generator.clone();
        async move { generator.run(deadline).await }
    });
    let mut series = Series::new();
    while Instant::now() < deadline {
        tokio::time::sleep(EVERY).await;
        look(&fleet, &mut series).await;
    }
    load.await.unwrap();
    generator.delete_templates(&templates).await;
    run_out(&fleet.store, Duration::from_secs(120)).await;
    let violations = check(&gather(&servers, &fleet, &target, &history, &[Fault::None]).await);
    println!(
        "soak of {} s: {} calls\n\n| what | second quarter | last quarter | flat |\n|---|---|---|---|",
        time.as_secs(),
        history.operations().len()
    );
    let mut well = violations.is_empty();
    for (what, (allowance, values)) in &series {
        let (line, flat) = judge(what, *allowance, values);
        println!("{line}");
        well &= flat;
    }
    violations.iter().for_each(|violation| println!("violated: {}: {}", violation.check, violation.detail));
    fleet.remove(&servers, !well).await;
    servers.remove().await;
    well
}

async fn look(fleet: &Fleet, series: &mut Series) {
    let mut note = |what: String, allowance: Allowance, value: u64| {
        let entry = series.entry(what).or_insert((allowance, Vec::new()));
        entry.1.push(value);
    };
    for (number, slot) in fleet.slots.iter().enumerate() {
        let Some(pid) = slot.pid() else { continue };
        note(format!("memory of {} ({number})", slot.daemon), MEMORY, resident(pid));
        note(format!("descriptors of {} ({number})", slot.daemon), DESCRIPTORS, descriptors(pid) as u64);
    }
    let open: i64 = sqlx::query_scalar(OPEN).fetch_one(fleet.store.pool()).await.unwrap();
    note("connections to PostgreSQL".to_owned(), CONNECTIONS, open.unsigned_abs());
    let sizes: Vec<(String, i64)> = sqlx::query_as(SIZES).fetch_all(fleet.store.pool()).await.unwrap();
    for (table, bytes) in sizes {
        note(format!("bytes of {table}"), TABLES, bytes.unsigned_abs());
    }
}

fn judge(what: &str, Allowance { percent, besides }: Allowance, values: &[u64]) -> (String, bool) {
    let quarter = (values.len() / 4).max(1);
    let median = |part: &[u64]| {
        let mut part = part.to_vec();
        part.sort_unstable();
        part.get(part.len() / 2).copied().unwrap_or(0)
    };
    let early = median(&values[quarter.min(values.len() - 1)..(2 * quarter).min(values.len())]);
    let late = median(&values[values.len().saturating_sub(quarter)..]);
    let flat = late <= early + early * percent / 100 + besides;
    (format!("| {what} | {early} | {late} | {} |", if flat { "yes" } else { "**no**" }), flat)
}

/// Resident memory of a process in bytes.
fn resident(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0);
    pages * 4096
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_seen_and_warming_up_is_not_growth() {
        let flat: Vec<u64> = [10, 80, 100, 100, 101, 99, 100, 102].to_vec();
        assert!(judge("x", Allowance { percent: 10, besides: 0 }, &flat).1);
        let grows: Vec<u64> = (0..40).map(|n| 100 + n * 10).collect();
        assert!(!judge("x", Allowance { percent: 25, besides: 20 }, &grows).1);
    }
}
