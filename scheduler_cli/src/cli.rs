//! The command line, on one screen.

use crate::commands::{
    apply, backfills, bench, calendars, cron, dead_letters, dev, doctor, export, freezes, health, import, incidents,
    jobs, keys, listen, merchants, migrate, queues, settings, templates,
};
use crate::dev_env::DevEnv;
use crate::output::Format;
use clap::{Parser, Subcommand};
use scheduler_core::config::{ConfigArgs, ConfigErrors, LoadOptions, Settings};
use std::process::ExitCode;

/// Schedules jobs, and runs and inspects the scheduler
#[derive(Debug, Parser)]
#[command(name = "scheduler", version, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    command: Command,
    /// Flags of every command.
    #[command(flatten, next_help_heading = "Global options")]
    globals: Globals,
}

/// Flags of every command.
#[derive(Debug, clap::Args)]
pub struct Globals {
    /// Flags about settings, for the commands that speak to the database.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// How to print answers
    #[arg(short, long, global = true, value_enum, default_value = "table", env = "SCHEDULER_OUTPUT")]
    pub output: Format,
    /// Where the API is [default: that of `make dev` in this or a parent folder]
    #[arg(long, global = true, value_name = "URL", env = "SCHEDULER_URL")]
    pub url: Option<String>,
    /// The merchant's API key [default: that of `make dev`]
    #[arg(long, global = true, value_name = "KEY", env = "SCHEDULER_API_KEY", hide_env_values = true)]
    pub api_key: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run every daemon in one process, with a demo merchant
    Dev(dev::Args),
    /// Bring the database's schema up to date
    Migrate,
    /// Check servers, settings, clocks and schema
    Doctor,
    /// Show every setting, its value and where it came from
    Settings,
    /// Create, change and list merchants
    #[command(subcommand)]
    Merchants(merchants::Command),
    /// Create, list and revoke API keys
    #[command(subcommand)]
    Keys(keys::Command),
    /// Create, inspect and steer jobs
    #[command(subcommand)]
    Jobs(jobs::Command),
    /// Create, inspect and steer templates
    #[command(subcommand)]
    Templates(templates::Command),
    /// Run stretches of templates' pasts after all, or again
    #[command(subcommand)]
    Backfills(backfills::Command),
    /// Create, inspect and import calendars
    #[command(subcommand)]
    Calendars(calendars::Command),
    /// Create, list and delete freeze windows
    #[command(subcommand)]
    Freezes(freezes::Command),
    /// What went wrong and who looks after it
    #[command(subcommand)]
    Incidents(incidents::Command),
    /// Make templates and calendars what files say
    Apply(apply::Args),
    /// Write templates and calendars as a file for `apply`
    Export(export::Args),
    /// Inspect, redrive and purge dead letters
    #[command(subcommand)]
    DeadLetters(dead_letters::Command),
    /// See, change, pause and resume queues
    #[command(subcommand)]
    Queues(queues::Command),
    /// Explain a cron expression in words and times
    #[command(subcommand)]
    Cron(cron::Command),
    /// Turn schedules of other systems into templates
    #[command(subcommand)]
    Import(import::Command),
    /// Receive webhooks and print them with their lateness
    Listen(listen::Args),
    /// Ask a daemon's health endpoint; exit code 0 when it answers 200
    Health(health::Args),
    /// Measure a running scheduler through its API
    #[command(subcommand)]
    Bench(bench::Command),
}

impl Globals {
    /// The settings: flags, environment, file, and what `.dev/env` says where those are silent.
    pub fn settings(&self) -> Result<Settings, ConfigErrors> {
        Settings::load(self.load_options()?)
    }

    /// Where the settings come from.
    pub fn load_options(&self) -> Result<LoadOptions, ConfigErrors> {
        let mut options = self.config.load_options()?;
        for (name, value) in DevEnv::find().iter() {
            if !options.env.iter().any(|(known, _)| known == name) {
                options.env.push((name.clone(), value.clone()));
            }
        }
        Ok(options)
    }
}

/// Runs the command to its exit code: 0 done, 1 failed; some commands have codes of their own.
pub fn run(cli: Cli) -> ExitCode {
    scheduler_core::daemon::install_tls();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("scheduler: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(dispatch(cli));
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("scheduler: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    let globals = cli.globals;
    // A wrong `--set` is a mistake also for a command that needs no settings.
    if !globals.config.overrides.is_empty() {
        globals.settings()?;
    }
    match cli.command {
        Command::Dev(args) => dev::run(args, &globals).await?,
        Command::Migrate => migrate::run(&globals).await?,
        Command::Doctor => return doctor::run(&globals).await,
        Command::Settings => settings::run(&globals)?,
        Command::Merchants(command) => merchants::run(command, &globals).await?,
        Command::Keys(command) => keys::run(command, &globals).await?,
        Command::Jobs(command) => jobs::run(command, &globals).await?,
        Command::Templates(command) => templates::run(command, &globals).await?,
        Command::Backfills(command) => backfills::run(command, &globals).await?,
        Command::Calendars(command) => calendars::run(command, &globals).await?,
        Command::Freezes(command) => freezes::run(command, &globals).await?,
        Command::Incidents(command) => incidents::run(command, &globals).await?,
        Command::Apply(args) => return apply::run(args, &globals).await,
        Command::Export(args) => export::run(args, &globals).await?,
        Command::DeadLetters(command) => dead_letters::run(command, &globals).await?,
        Command::Queues(command) => queues::run(command, &globals).await?,
        Command::Cron(command) => cron::run(command, &globals)?,
        Command::Import(command) => import::run(command, &globals)?,
        Command::Listen(args) => listen::run(args).await?,
        Command::Health(args) => return health::run(args).await,
        Command::Bench(command) => bench::run(command, &globals).await?,
    }
    Ok(ExitCode::SUCCESS)
}
