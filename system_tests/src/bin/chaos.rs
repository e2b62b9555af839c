//! The matrix of faults, the planted bugs, the soak: `make chaos`, `make chaos-bugs`, `make soak`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::process::ExitCode;
use std::time::Duration;
use system_tests::chaos::nemesis::Fault;
use system_tests::chaos::planted::{BUGS, hunt};
use system_tests::chaos::report::{BUGS_HEAD, FAULTS_HEAD, bug_line, fault_line, violations};
use system_tests::chaos::run::{Plan, run};
use system_tests::chaos::servers::Servers;
use system_tests::{disconnects, model, soak};
use tokio::signal::unix::{SignalKind, signal};

/// What a run costs besides its load.
const OVERHEAD_SECONDS: u64 = 25;

#[tokio::main]
async fn main() -> ExitCode {
    let mode = std::env::args().nth(1).unwrap_or_default();
    // What is dropped here takes its processes and its folders with it.
    let well = tokio::select! {
        well = work(&mode) => well,
        signal = ended() => {
            eprintln!("ended by {signal}; removing daemons and servers");
            false
        }
    };
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn work(mode: &str) -> bool {
    match mode {
        "matrix" => matrix().await,
        "bugs" => bugs().await,
        "soak" => soak::run(Duration::from_secs(60 * number("MINUTES", 30))).await,
        "disconnects" => disconnects::run(number("CLIENTS", 10_000) as usize).await,
        other => {
            eprintln!("usage: chaos matrix|bugs|soak|disconnects (not {other:?})");
            false
        }
    }
}

/// Somebody wants this to end.
async fn ended() -> &'static str {
    let mut terminate = signal(SignalKind::terminate()).unwrap();
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = tokio::signal::ctrl_c() => "SIGINT",
    }
}

/// A number from the environment; `make` puts it there.
fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// A seed that nobody chose.
fn any_seed() -> u64 {
    u64::from(uuid::Uuid::new_v4().as_fields().0)
}

async fn matrix() -> bool {
    let chosen = std::env::var("FAULT").unwrap_or_default();
    let faults: Vec<Fault> = match chosen.as_str() {
        "" => Fault::ALL.to_vec(),
        names => names.split(',').map(|name| Fault::parse(name).unwrap_or_else(|| panic!("no fault {name}"))).collect(),
    };
    let share = number("MINUTES", 30) * 60 / faults.len() as u64;
    let load = Duration::from_secs(number("SECONDS", share.saturating_sub(OVERHEAD_SECONDS).max(10)));
    let seed = number("SEED", any_seed());
    let mut well = true;
    if chosen.is_empty() {
        let explored = model::explore(&model::Model::thorough());
        println!("model: {explored}\n");
        well &= explored.violation.is_none();
        well &= disconnects::run(number("CLIENTS", 10_000) as usize).await;
    }
    println!("seed {seed}, {} s of load for each fault\n\n{FAULTS_HEAD}", load.as_secs());
    let servers = Servers::start().await;
    for fault in faults {
        let mut plan = Plan::of(fault, seed, load);
        plan.forged = number("FORGED", 1_000_000);
        let outcome = run(&servers, &plan).await;
        println!("{}", fault_line(fault.name(), seed, &outcome));
        eprint!("{}", violations(fault, seed, load, &outcome));
        well &= outcome.violations.is_empty();
    }
    servers.remove().await;
    well
}

async fn bugs() -> bool {
    let chosen = std::env::var("BUG").unwrap_or_default();
    let load = Duration::from_secs(number("SECONDS", 15));
    let seed = number("SEED", 1);
    println!("{BUGS_HEAD}");
    let servers = Servers::start().await;
    let mut well = true;
    for bug in BUGS.into_iter().filter(|bug| chosen.is_empty() || bug.name == chosen) {
        let hunt = hunt(&servers, bug, seed, load).await;
        println!("{}", bug_line(&hunt));
        if hunt.found.is_none() {
            eprint!("{}", violations(bug.fault, seed, load, &hunt.outcome));
        }
        well &= hunt.found.is_some();
    }
    servers.remove().await;
    well
}
