//! One run: load, faults, healing, running out, judgement.

use super::checks::{Violation, check};
use super::evidence::{Evidence, read_rows};
use super::fleet::Fleet;
use super::generator::{Client, Generator};
use super::history::History;
use super::nemesis::{Fault, Injected, Nemesis};
use super::servers::Servers;
use super::target::Target;
use scheduler_core::store::Store;
use std::collections::HashSet;
use std::time::{Duration, Instant};
use test_support::Random;

/// What to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The faults, in turn.
    pub faults: Vec<Fault>,
    /// Decides everything that is left to chance.
    pub seed: u64,
    /// How long load and faults last.
    pub load: Duration,
    /// Time after healing in which everything must come to its end.
    pub patience: Duration,
    /// Forged members at a time.
    pub forged: u64,
    /// More settings of the daemons.
    pub settings: Vec<(String, String)>,
}

impl Plan {
    /// A run of one fault.
    pub fn of(fault: Fault, seed: u64, load: Duration) -> Self {
        let (faults, settings) = (vec![fault], Vec::new());
        Self { faults, seed, load, patience: Duration::from_secs(90), forged: 20_000, settings }
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// What was injected.
    pub injected: Injected,
    /// Jobs that exist in the end.
    pub jobs: usize,
    /// Calls of the API.
    pub calls: usize,
    /// Visits at the target.
    pub visits: usize,
    /// Visits whose result counted for nothing.
    pub extra: usize,
    /// What was promised and is not so.
    pub violations: Vec<Violation>,
    /// Where the logs are, if anything is wrong.
    pub logs: std::path::PathBuf,
    /// From healing until everything had come to its end.
    pub ran_out_after: Duration,
}

impl Outcome {
    /// How many violations these checks found.
    pub fn found_by(&self, checks: &[&str]) -> usize {
        self.violations.iter().filter(|violation| checks.contains(&violation.check)).count()
    }
}

/// Runs a plan on these servers.
pub async fn run(servers: &Servers, plan: &Plan) -> Outcome {
    let settings: Vec<(&str, &str)> = plan.settings.iter().map(|(name, value)| (&**name, &**value)).collect();
    let mut fleet = Fleet::start(servers, &settings).await;
    let (target, history, random) = (Target::start().await, History::default(), Random::new(plan.seed));
    let client = Client::new(&fleet, &target.url(), &history);
    let generator = Generator::new(client.clone(), random.split(1));
    generator.limit_queues().await;
    let templates = generator.create_templates().await;
    let deadline = Instant::now() + plan.load;
    let load = tokio::spawn({
        let generator = generator.clone();
        async move { generator.run(deadline).await }
    });
    let mut nemesis =
        Nemesis { fleet: &mut fleet, servers, target: &target, client, random: random.split(2), forged: plan.forged };
    let injected = nemesis.run(&plan.faults, deadline).await;
    nemesis.heal().await;
    load.await.unwrap();
    let healed = Instant::now();
    generator.delete_templates(&templates).await;
    run_out(&fleet.store, plan.patience).await;
    let ran_out_after = healed.elapsed();
    let evidence = gather(servers, &fleet, &target, &history, &plan.faults).await;
    let mut violations = check(&evidence);
    let stuck = injected.complaints.iter().filter(|complaint| complaint.starts_with("no work"));
    violations.extend(stuck.map(|detail| Violation { check: "recovers", detail: detail.clone() }));
    let outcome = summary(&evidence, injected, violations, fleet.logs.clone(), ran_out_after);
    fleet.remove(servers, !outcome.violations.is_empty()).await;
    outcome
}

/// Waits until nothing is live and nothing claimed, for so long at most.
pub(crate) async fn run_out(store: &Store, patience: Duration) {
    let started = Instant::now();
    let left = "SELECT (SELECT count(*) FROM jobs_live) + (SELECT count(*) FROM claims)";
    while started.elapsed() < patience {
        let left: Result<i64, _> = sqlx::query_scalar(left).fetch_one(store.pool()).await;
        if matches!(left, Ok(0)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// All evidence of a run under these faults.
pub(crate) async fn gather(
    servers: &Servers,
    fleet: &Fleet,
    target: &Target,
    history: &History,
    faults: &[Fault],
) -> Evidence {
    let ready_members = drained(servers, &fleet.prefix).await;
    let leases_overdue = overdue(fleet).await;
    let rows = read_rows(&fleet.store).await.unwrap();
    Evidence {
        faults: faults.to_vec(),
        merchants: fleet.merchants.clone(),
        operations: history.operations(),
        visits: target.visits(),
        leases_overdue,
        ready_members,
        ..rows
    }
}

/// Members of the ready sets, once the executors have had time to drop what names nothing.
async fn drained(servers: &Servers, prefix: &str) -> i64 {
    let count = "local n = 0 for p = 0, 9 do n = n + redis.call('ZCARD', '{' .. ARGV[1] .. ':default}:ready:' .. p) end return n";
    let started = Instant::now();
    loop {
        let said = servers.redis(&["EVAL", count, "0", prefix]).await;
        let left = said.and_then(|said| said.parse().ok()).unwrap_or(-1);
        if left == 0 || started.elapsed() > Duration::from_secs(60) {
            return left;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The watchers' gauges: each may be as old as its last sweep, so they get a moment to read 0.
async fn overdue(fleet: &Fleet) -> Option<f64> {
    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().unwrap();
    let started = Instant::now();
    loop {
        let mut sum = None;
        for slot in fleet.slots.iter().filter(|slot| slot.daemon == "task_failure_watcher") {
            if let Some(value) = slot.metric(&http, "leases_overdue").await {
                sum = Some(sum.unwrap_or(0.0) + value);
            }
        }
        if sum == Some(0.0) || started.elapsed() > Duration::from_secs(20) {
            return sum;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn summary(
    evidence: &Evidence,
    injected: Injected,
    violations: Vec<Violation>,
    logs: std::path::PathBuf,
    ran_out_after: Duration,
) -> Outcome {
    let counted = evidence.executions.iter().filter(|execution| execution.outcome != "lost");
    let counted: HashSet<_> = counted.map(|execution| execution.id).collect();
    let extra = evidence.visits.iter().filter(|visit| !counted.contains(&visit.execution)).count();
    Outcome {
        injected,
        jobs: evidence.jobs.len(),
        calls: evidence.operations.len(),
        visits: evidence.visits.len(),
        extra,
        violations,
        logs,
        ran_out_after,
    }
}
