//! A short selection of what `make chaos` does at length, and that its daemons differ from all others.

use std::path::Path;
use std::time::Duration;
use system_tests::chaos::nemesis::Fault;
use system_tests::chaos::run::{Plan, run};
use system_tests::chaos::servers::Servers;
use system_tests::disconnects;

/// Fixed, so that a failure here is the same for everybody; `make chaos` has others.
const SEED: u64 = 4711;

#[tokio::test(flavor = "multi_thread")]
async fn a_short_run_of_many_faults_keeps_every_promise() {
    let servers = Servers::start().await;
    let mut plan = Plan::of(Fault::Kill, SEED, Duration::from_secs(25));
    plan.faults = vec![
        Fault::AnswerLost,
        Fault::Kill,
        Fault::Flush,
        Fault::Pause,
        Fault::PostgresCrash,
        Fault::Cut,
        Fault::RedisRestart,
        Fault::Backends,
    ];
    let outcome = run(&servers, &plan).await;
    servers.remove().await;
    assert!(outcome.violations.is_empty(), "seed {SEED}: {:#?}\nlogs: {}", outcome.violations, outcome.logs.display());
    assert!(outcome.jobs > 50 && outcome.injected.times > 0, "hardly anything was done: {outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_hang_up_leave_nothing_behind() {
    let servers = Servers::start().await;
    let complaints = disconnects::hang_up(&servers, 300).await;
    servers.remove().await;
    assert_eq!(complaints, Vec::<String>::new());
}

#[test]
fn bugs_and_faults_are_in_no_build_by_default() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let core = std::fs::read_to_string(root.join("scheduler_core/Cargo.toml")).unwrap();
    assert!(core.contains("planted-bugs = []") && core.contains("fault-injection = []"));
    assert!(!core.lines().any(|line| line.starts_with("default =")), "a default feature: does it plant bugs?");
    for folder in std::fs::read_dir(root).unwrap() {
        let Ok(manifest) = std::fs::read_to_string(folder.unwrap().path().join("Cargo.toml")) else { continue };
        let asked = manifest.lines().filter(|line| !line.starts_with(['#', 'p', 'f']));
        assert!(!asked.clone().any(|line| line.contains("planted-bugs") || line.contains("fault-injection")));
    }
    assert!(!scheduler_core::planted::planted("reap_by_id"));
}
