//! The main function of every daemon: settings, logs, metrics, signals, the admin port, exit code.
//!
//! A daemon's `main.rs` names itself and hands over its `run`:
//!
//! ```no_run
//! use scheduler_core::config::Settings;
//! use scheduler_core::daemon::{self, Daemon};
//! use scheduler_core::health::Health;
//! use scheduler_core::lifecycle::Shutdown;
//!
//! const DAEMON: Daemon = Daemon { name: "example", about: "Waits.", admin_port: Some(9100) };
//!
//! async fn run(_: Settings, _: Health, shutdown: Shutdown) -> anyhow::Result<()> {
//!     shutdown.soft().await;
//!     Ok(())
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     daemon::main(DAEMON, run)
//! }
//! ```

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, FromArgMatches};

use crate::config::{ConfigArgs, Settings};
use crate::health::{self, Health};
use crate::lifecycle::Shutdown;
use crate::telemetry::{init_logging, init_metrics, run_upkeep};

/// How long a service may go on after the hard shutdown before it is abandoned.
const AFTER_HARD: Duration = Duration::from_secs(2);

/// The exit code for wrong flags or settings: restarting does not help.
const EXIT_USAGE: u8 = 2;

/// What a daemon says about itself.
#[derive(Clone, Copy, Debug)]
pub struct Daemon {
    /// Its name: the binary, the health report, the logs.
    pub name: &'static str,
    /// One sentence for `--help`.
    pub about: &'static str,
    /// The port of `admin.listen = auto` on 127.0.0.1; `None` for a daemon that serves the
    /// health endpoints on a port of its own.
    pub admin_port: Option<u16>,
}

#[derive(clap::Parser)]
struct Flags {
    #[command(flatten)]
    config: ConfigArgs,

    /// Print every setting with its value and where it came from, and exit
    #[arg(long)]
    print_settings: bool,
}

/// Runs a daemon from its flags to its exit code: 0 after a clean stop, 1 when `run` failed, 2
/// when flags or settings are wrong. A failure is logged once, with its whole chain.
pub fn main<Run, Running>(daemon: Daemon, run: Run) -> ExitCode
where
    Run: FnOnce(Settings, Health, Shutdown) -> Running,
    Running: Future<Output = anyhow::Result<()>>,
{
    let command = Flags::command().name(daemon.name).about(daemon.about).version(VERSION);
    let parsed = Flags::from_arg_matches(&command.get_matches());
    let flags = parsed.unwrap_or_else(|error| error.exit());
    let loaded = match flags.config.load() {
        Ok(loaded) => loaded,
        Err(errors) => {
            // Not logged: logging has no settings yet, and a person is likely to read this.
            eprintln!("{}: {errors}", daemon.name);
            return ExitCode::from(EXIT_USAGE);
        }
    };
    if flags.print_settings {
        print!("{}", loaded.to_toml());
        return ExitCode::SUCCESS;
    }
    let settings = loaded.settings;
    init_logging(&settings.log);
    match start(daemon, settings, run) {
        Ok(()) => {
            tracing::info!(service = daemon.name, "stopped");
            ExitCode::SUCCESS
        }
        Err(error) => {
            tracing::error!(service = daemon.name, error = format!("{error:#}"), "failed");
            ExitCode::FAILURE
        }
    }
}

/// The version that all programs of the workspace share.
const VERSION: &str = env!("CARGO_PKG_VERSION");

fn start<Run, Running>(daemon: Daemon, settings: Settings, run: Run) -> anyhow::Result<()>
where
    Run: FnOnce(Settings, Health, Shutdown) -> Running,
    Running: Future<Output = anyhow::Result<()>>,
{
    install_tls();
    let metrics = init_metrics();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        tracing::info!(service = daemon.name, version = VERSION, "starting");
        let shutdown = Shutdown::from_signals(grace(&settings))?;
        tokio::spawn(run_upkeep(metrics, shutdown.clone()));
        supervise(daemon, settings, shutdown, run).await
    });
    // Tasks that ignore the shutdown must not keep the process alive.
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

/// Installs the one TLS provider of the process. Safe to call more than once; every program and
/// every test that opens TLS connections calls it first.
pub fn install_tls() {
    // An error means that one is installed already, and there is only one kind in this system.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// From the first signal to the hard shutdown: the drain of the executor and a little more, so
/// that results of executions that end in the last moment are still written.
fn grace(settings: &Settings) -> Duration {
    settings.executor.drain_grace + Duration::from_secs(5)
}

/// Runs the service next to the admin port until one of them ends or time is up.
async fn supervise<Run, Running>(daemon: Daemon, settings: Settings, shutdown: Shutdown, run: Run) -> anyhow::Result<()>
where
    Run: FnOnce(Settings, Health, Shutdown) -> Running,
    Running: Future<Output = anyhow::Result<()>>,
{
    let health = Health::new(daemon.name);
    tokio::spawn(announce_drain(health.clone(), shutdown.clone()));
    let auto = daemon.admin_port.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let admin = serve(settings.admin.listen.resolve(auto), health.clone(), shutdown.clone());
    let deadline = async {
        shutdown.hard().await;
        tokio::time::sleep(AFTER_HARD).await;
    };
    tokio::select! {
        outcome = run(settings, health, shutdown.clone()) => outcome,
        outcome = admin => outcome,
        () = deadline => anyhow::bail!("did not stop within its grace; work in progress was abandoned"),
    }
}

/// Serves the admin port, if there is to be one. Ends only with an error: the service has the
/// last word.
async fn serve(listen: Option<SocketAddr>, health: Health, shutdown: Shutdown) -> anyhow::Result<()> {
    if let Some(listen) = listen {
        let router = health::router(health, Some(init_metrics()));
        health::serve_admin(listen, router, shutdown).await?;
    }
    std::future::pending().await
}

/// A process that is asked to stop is no longer ready.
async fn announce_drain(health: Health, shutdown: Shutdown) {
    shutdown.soft().await;
    health.draining();
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::config::ListenAt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    const DAEMON: Daemon = Daemon { name: "test", about: "A test.", admin_port: None };

    fn settings(listen: ListenAt) -> Settings {
        let mut settings = Settings::defaults();
        settings.admin.listen = listen;
        settings
    }

    /// Supervises a service without an admin port.
    async fn supervised<Running>(
        shutdown: Shutdown,
        run: impl FnOnce(Settings, Health, Shutdown) -> Running,
    ) -> anyhow::Result<()>
    where
        Running: Future<Output = anyhow::Result<()>>,
    {
        supervise(DAEMON, settings(ListenAt::Off), shutdown, run).await
    }

    #[tokio::test]
    async fn the_outcome_of_the_service_is_the_outcome() {
        let never = Shutdown::never;
        assert!(supervised(never(), |_, _, _| async { Ok(()) }).await.is_ok());
        let failed = supervised(never(), |_, _, _| async { anyhow::bail!("broken") }).await;
        assert_eq!(failed.unwrap_err().to_string(), "broken");
    }

    #[tokio::test]
    async fn a_soft_shutdown_makes_it_unready_and_lets_it_finish() {
        let (trigger, shutdown) = Shutdown::new();
        let run = |_, health: Health, shutdown: Shutdown| async move {
            assert!(health.is_ready());
            trigger.soft();
            shutdown.soft().await;
            while health.is_ready() {
                tokio::task::yield_now().await;
            }
            Ok(())
        };
        supervised(shutdown, run).await.unwrap();
    }

    #[tokio::test]
    async fn a_service_that_does_not_stop_is_abandoned() {
        let (trigger, shutdown) = Shutdown::new();
        trigger.hard();
        let outcome = supervised(shutdown, |_, _, _| std::future::pending()).await;
        assert!(outcome.unwrap_err().to_string().contains("did not stop"));
    }

    #[tokio::test]
    async fn an_admin_port_that_is_taken_ends_the_daemon() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let settings = settings(ListenAt::At(taken.local_addr().unwrap()));
        let run = |_, _, _| std::future::pending();
        let outcome = supervise(DAEMON, settings, Shutdown::never(), run).await;
        assert!(outcome.unwrap_err().to_string().contains("admin.listen"));
    }

    #[tokio::test]
    async fn the_admin_port_is_open_while_the_service_runs() {
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, test_support::free_port()));
        let settings = settings(ListenAt::At(free));
        let run = |_, _, _| async move {
            let mut stream = loop {
                if let Ok(stream) = TcpStream::connect(free).await {
                    break stream;
                }
                tokio::task::yield_now().await;
            };
            stream.write_all(b"GET /health/live HTTP/1.0\r\n\r\n").await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
            Ok(())
        };
        supervise(DAEMON, settings, Shutdown::never(), run).await.unwrap();
    }

    #[test]
    fn the_flags_are_well_formed() {
        Flags::command().debug_assert();
    }
}
