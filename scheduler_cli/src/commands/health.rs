//! `scheduler health`

use crate::output;
use std::process::ExitCode;
use std::time::Duration;

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The endpoint, such as http://127.0.0.1:9103/health/ready
    url: String,
}

/// Prints the answer; the exit code is 0 only for 200.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let http = reqwest::Client::builder().timeout(Duration::from_secs(3)).no_proxy().build()?;
    let answer = http.get(&args.url).send().await?;
    let ok = answer.status() == reqwest::StatusCode::OK;
    output::line(answer.text().await?);
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
