//! `scheduler bench`: measures a running scheduler from outside, through its API; and the statements of its hot paths, on the
//! database alone.

mod all;
mod backlog;
mod burst;
mod drain;
mod floor;
mod latency;
mod materialise;
mod report;
mod scheduled;
mod singles;
mod sink;
mod steady;
mod usage;
mod webhooks;

use crate::cli::Globals;
use crate::client::Client;
use crate::output::{self, Column};
use report::Report;
use std::time::Duration;
use usage::Meter;

/// What `all` shows of each figure.
const COLUMNS: [Column; 5] =
    [("measure", "/measure"), ("figure", "/figure"), ("least", "/least"), ("median", "/median"), ("most", "/most")];

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
    /// Single creates by clients that each wait for their answer
    Singles {
        /// How many jobs
        #[arg(long, default_value_t = 20_000)]
        jobs: usize,
        /// How many clients
        #[arg(long, default_value_t = 50)]
        clients: usize,
    },
    /// Deliver a backlog of webhooks to a receiver on this computer
    Webhooks {
        /// How many jobs
        #[arg(long, default_value_t = 20_000)]
        jobs: usize,
    },
    /// Many jobs due in the same second
    Burst {
        /// How many jobs
        #[arg(long, default_value_t = 100_000)]
        jobs: usize,
    },
    /// Create and run together for a while
    Steady {
        /// For how many seconds
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
    /// All of them, several times: the median of each figure
    All {
        /// How many times
        #[arg(long, default_value_t = 5)]
        rounds: usize,
    },
    /// Templates become occurrences and jobs; on the database alone, without any daemon
    Materialise {
        /// How many occurrences
        #[arg(long, default_value_t = 200_000)]
        occurrences: usize,
        /// Numbers of templates to have stored while ticks with 200 due are timed
        #[arg(long, value_delimiter = ',', default_value = "1000,100000,1000000")]
        stored: Vec<usize>,
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
        Command::Drain { jobs } => drain::measure(&client()?, &Meter::new(globals).await?, jobs).await?,
        Command::Singles { jobs, clients } => {
            singles::measure(&client()?, &Meter::new(globals).await?, jobs, clients).await?
        }
        Command::Webhooks { jobs } => webhooks::measure(&client()?, &Meter::new(globals).await?, jobs).await?,
        Command::Burst { jobs } => burst::measure(&client()?, jobs).await?,
        Command::Steady { seconds } => {
            steady::measure(&client()?, &Meter::new(globals).await?, Duration::from_secs(seconds)).await?
        }
        Command::All { rounds } => {
            let all = all::measure(globals, rounds).await?;
            output::list(globals.output, &all, &COLUMNS);
            return Ok(());
        }
        Command::Materialise { occurrences, stored } => materialise::measure(globals, occurrences, &stored).await?,
        Command::Floor { jobs } => floor::measure(globals, jobs).await?,
    };
    report.print(globals.output);
    Ok(())
}
