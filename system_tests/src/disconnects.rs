//! Clients that hang up in the middle of a request, by the thousand, while the database is slow: no pooled connection
//! may be left inside a transaction, and nothing may leak.

use crate::chaos::fleet::Fleet;
use crate::chaos::generator::Client;
use crate::chaos::history::{Answer, History};
use crate::chaos::servers::Servers;
use crate::chaos::target::Target;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use test_support::Random;
use test_support::{Fault, FaultProxy};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// Clients at the same time.
const AT_ONCE: usize = 100;
/// How long the API may take to be as it was before.
const SETTLES_WITHIN: Duration = Duration::from_secs(45);
/// File descriptors that may come and go.
const SPARE_DESCRIPTORS: usize = 24;

/// Connections of the API that are inside of a transaction.
const IN_TRANSACTION: &str = "
    SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND state LIKE 'idle in transaction%' AND application_name <> 'observer'";

/// Lets so many clients hang up; prints what came of it, and says whether all is well.
#[expect(clippy::print_stdout, reason = "a program's report")]
pub async fn run(clients: usize) -> bool {
    let servers = Servers::start().await;
    let complaints = hang_up(&servers, clients).await;
    servers.remove().await;
    println!("disconnects: {clients} clients hung up in the middle of a request; complaints: {complaints:?}\n");
    complaints.is_empty()
}

/// The same on these servers; everything that is wrong afterwards.
pub async fn hang_up(servers: &Servers, clients: usize) -> Vec<String> {
    let fleet = Fleet::start(servers, &[]).await;
    let target = Target::start().await;
    let api = fleet.slots.iter().find(|slot| slot.daemon == "task_scheduler_api").unwrap();
    let pid = api.pid().unwrap();
    let before = descriptors(pid);
    api.database.set(Fault::Delay(Duration::from_millis(15)));
    let slow = FaultProxy::start(fleet.base.trim_start_matches("http://").parse().unwrap()).await;
    slow.set(Fault::Delay(Duration::from_millis(5)));
    for start in (0..clients).step_by(AT_ONCE) {
        let some = (start..clients.min(start + AT_ONCE)).map(|n| one(slow.address(), &fleet.keys[n % 2], n));
        futures::future::join_all(some).await;
    }
    api.database.set(Fault::None);
    let mut complaints = Vec::new();
    complaints.extend(settles(&fleet, pid, before + SPARE_DESCRIPTORS).await);
    complaints.extend(still_works(&fleet, &target).await);
    let log = std::fs::read_to_string(fleet.logs.join("task_scheduler_api-0.log")).unwrap_or_default();
    if log.contains("25P02") {
        complaints.push("a statement met an aborted transaction (25P02)".to_owned());
    }
    fleet.remove(servers, !complaints.is_empty()).await;
    complaints
}

/// Sends a create, some of it or all of it, and hangs up.
async fn one(address: SocketAddr, key: &str, number: usize) {
    let mut random = Random::new(number as u64);
    let parents = if random.chance(30) { r#","dedupe_key":"d""# } else { "" };
    let body = format!(r#"{{"target":{{"kind":"noop"}},"external_id":"d{number}"{parents}}}"#);
    let idempotency = if random.chance(50) { format!("idempotency-key: d{number}\r\n") } else { String::new() };
    let request = format!(
        "POST /v1/jobs HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ncontent-type: application/json\r\n{idempotency}content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let most = request.len() as u64;
    let sent = if random.chance(70) { most } else { random.below(most) } as usize;
    let Ok(mut stream) = TcpStream::connect(address).await else { return };
    let _refused = stream.write_all(&request.as_bytes()[..sent]).await;
    tokio::time::sleep(random.millis(0, 60)).await;
}

/// Waits until no connection is in a transaction and the descriptors are back; what is not.
async fn settles(fleet: &Fleet, pid: u32, most: usize) -> Option<String> {
    let started = Instant::now();
    loop {
        let inside: i64 = sqlx::query_scalar(IN_TRANSACTION).fetch_one(fleet.store.pool()).await.unwrap();
        let open = descriptors(pid);
        if inside == 0 && open <= most {
            return None;
        }
        if started.elapsed() > SETTLES_WITHIN {
            return Some(format!("{inside} connections in a transaction, {open} descriptors of {most}"));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn still_works(fleet: &Fleet, target: &Target) -> Vec<String> {
    let client = Client::new(fleet, &target.url(), &History::default());
    let mut complaints = Vec::new();
    for number in 0..40 {
        let body = client.job(0, &format!("after-{number}"), &[(200, 0)]);
        let answer = client.create(0, vec![body], (number % 2 == 0).then(|| format!("after-{number}"))).await;
        if !matches!(answer, Answer::Done(..)) {
            complaints.push(format!("a create afterwards was answered {answer:?}"));
        }
    }
    complaints
}

/// Open file descriptors of a process.
pub fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}
