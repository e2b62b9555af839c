//! The `scheduler` command.

use clap::Parser as _;

fn main() -> std::process::ExitCode {
    scheduler_cli::run(scheduler_cli::Cli::parse())
}
