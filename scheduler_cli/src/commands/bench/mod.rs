//! `scheduler bench`: measures a running scheduler from outside, through its API.

mod drain;
mod floor;
mod latency;
mod report;
mod scheduled;
mod sink;

use crate::cli::Globals;
use crate::client::Client;
use report::Report;

/// What to measure.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Create called → webhook receiver called, one job at a time
    Latency {
        /// How many jobs
        #[arg(long, default_value_t = 300)]
        jobs: usize,
    },
    /// Due → webhook receiver called, at a steady rate
    Scheduled {
        /// Jobs due per second
        #[arg(long, default_value_t = 200)]
        rate: usize,
        /// For how many seconds
        #[arg(long, default_value_t = 10)]
        seconds: usize,
    },
    /// Bulk create while the queue is paused, then drain no-op jobs
    Drain {
        /// How many jobs
        #[arg(long, default_value_t = 50_000)]
        jobs: usize,
    },
    /// The statements of the hot path alone, with nobody else: what the others are to be compared with
    Floor {
        /// How many jobs
        #[arg(long, default_value_t = 50_000)]
        jobs: usize,
    },
}

/// Runs one measurement and prints it.
pub async fn run(command: Command, globals: &Globals) -> anyhow::Result<()> {
    let client = || Client::new(globals);
    let report: Report = match command {
        Command::Latency { jobs } => latency::measure(&client()?, jobs).await?,
        Command::Scheduled { rate, seconds } => scheduled::measure(&client()?, rate, seconds).await?,
        Command::Drain { jobs } => drain::measure(&client()?, jobs).await?,
        Command::Floor { jobs } => floor::measure(globals, jobs).await?,
    };
    report.print(globals.output);
    Ok(())
}
