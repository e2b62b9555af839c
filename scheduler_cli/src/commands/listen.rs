//! `scheduler listen`: a webhook receiver that shows what arrives and how late.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use chrono::{DateTime, Utc};
use scheduler_core::clock::Clock;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:9000")]
    address: SocketAddr,
    /// What to answer
    #[arg(long, default_value_t = 200)]
    status: u16,
    /// Answer so only to the first N deliveries, then 200
    #[arg(long, value_name = "N")]
    first: Option<u64>,
    /// Wait before answering, in milliseconds
    #[arg(long, default_value_t = 0)]
    delay_ms: u64,
    /// Say `Retry-After` with the answer, in seconds
    #[arg(long)]
    retry_after: Option<u64>,
    /// One line a delivery, without headers and body
    #[arg(short, long)]
    quiet: bool,
}

struct Listener {
    args: Args,
    status: StatusCode,
    clock: Clock,
    seen: AtomicU64,
}

/// Listens until it is interrupted.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let status = StatusCode::from_u16(args.status).map_err(|_| anyhow::anyhow!("--status must be from 100 to 999"))?;
    let socket = tokio::net::TcpListener::bind(args.address).await.map_err(|error| {
        anyhow::anyhow!("cannot listen on {}: {error}; choose another with --address 127.0.0.1:PORT", args.address)
    })?;
    println!("listening on http://{} and answering {status}; Ctrl-C ends", socket.local_addr()?);
    let listener = Arc::new(Listener { args, status, clock: Clock::local(), seen: AtomicU64::new(0) });
    let app = Router::new().fallback(receive).with_state(listener);
    axum::serve(socket, app).with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) }).await?;
    Ok(())
}

async fn receive(
    State(listener): State<Arc<Listener>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, HeaderMap, &'static str) {
    let now = listener.clock.now();
    let number = listener.seen.fetch_add(1, Ordering::Relaxed) + 1;
    let status = match listener.args.first {
        Some(n) if number > n => StatusCode::OK,
        _ => listener.status,
    };
    print!("{}", describe(&listener.args, now, number, status, &method, &uri, &headers, &body));
    tokio::time::sleep(Duration::from_millis(listener.args.delay_ms)).await;
    let mut answer = HeaderMap::new();
    if let Some(seconds) = listener.args.retry_after.filter(|_| !status.is_success()) {
        answer.insert("retry-after", seconds.into());
    }
    (status, answer, if status.is_success() { "ok\n" } else { "told to fail\n" })
}

#[expect(clippy::too_many_arguments, reason = "one line of output shows all of it")]
fn describe(
    args: &Args,
    now: DateTime<Utc>,
    number: u64,
    status: StatusCode,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &Bytes,
) -> String {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let late = match header("x-scheduled-for").and_then(|text| text.parse::<DateTime<Utc>>().ok()) {
        Some(due) => {
            let first = header("x-attempt").is_none_or(|attempt| attempt == "1");
            // A retry is late by design; the time that was asked for is all that it carries.
            let since = if first { "after its time" } else { "after the time of the first attempt" };
            format!("{:.1} ms {since}", (now - due).num_microseconds().unwrap_or(i64::MAX) as f64 / 1000.0)
        }
        None => "not from the scheduler".to_owned(),
    };
    let mut out = String::new();
    let _ = writeln!(
        out,
        "#{number} {} {method} {uri} → {} · attempt {} · {late}",
        now.format("%H:%M:%S%.3f"),
        status.as_u16(),
        header("x-attempt").unwrap_or("–"),
    );
    if !args.quiet {
        for (name, value) in headers {
            let _ = writeln!(out, "    {name}: {}", value.to_str().unwrap_or("(binary)"));
        }
        if !body.is_empty() {
            let text = String::from_utf8_lossy(&body[..body.len().min(2000)]);
            let _ = writeln!(out, "    {}", text.replace('\n', "\n    "));
        }
    }
    out
}
