//! `scheduler import`

use crate::cli::Globals;
use crate::output;
use anyhow::{Context as _, bail};
use scheduler_core::schedule::import::{self, Import};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Where the schedules come from. The templates are printed as JSON; warnings and what could not be taken over go to
/// standard error.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Lines of a crontab
    Crontab {
        /// The file, or - for standard input
        file: PathBuf,
        /// The zone of the machine
        #[arg(long, default_value = "UTC")]
        tz: String,
        /// Each line names a user before the command, as in /etc/crontab
        #[arg(long)]
        with_user: bool,
    },
    /// CronJob documents of Kubernetes, YAML or JSON
    Kubernetes {
        /// The file, or - for standard input
        file: PathBuf,
    },
    /// Quartz expressions, one a line, with an optional `name = ` before each
    Quartz {
        /// The file, or - for standard input
        file: PathBuf,
        /// The zone of the scheduler
        #[arg(long, default_value = "UTC")]
        tz: String,
    },
    /// A systemd timer unit, or expressions of OnCalendar, one a line
    Systemd {
        /// The file, or - for standard input
        file: PathBuf,
        /// The zone of the machine
        #[arg(long, default_value = "UTC")]
        tz: String,
    },
}

/// Runs the command. Nothing is sent anywhere.
pub fn run(command: Command, _globals: &Globals) -> anyhow::Result<()> {
    let import = match command {
        Command::Crontab { file, tz, with_user } => import::crontab(&read(&file)?, &tz, with_user),
        Command::Kubernetes { file } => import::kubernetes(&documents(&read(&file)?)?),
        Command::Quartz { file, tz } => import::quartz(&read(&file)?, &tz),
        Command::Systemd { file, tz } => {
            let name = file.file_stem().and_then(|name| name.to_str()).unwrap_or("timer");
            import::systemd(&read(&file)?, name, &tz)
        }
    };
    show(&import)
}

fn show(import: &Import) -> anyhow::Result<()> {
    let templates: Vec<&Value> = import.templates.iter().map(|found| &found.template).collect();
    output::json(&json!({ "templates": templates }));
    for found in &import.templates {
        for warning in &found.warnings {
            output::note(format_args!("{} ({}): {warning}", found.place, found.template["name"]));
        }
    }
    for problem in &import.problems {
        output::note(format_args!("{}: not taken over: {}", problem.place, problem.detail));
    }
    if !import.templates.is_empty() {
        output::note("the jobs do nothing yet: give each its target before you create it");
    }
    if !import.problems.is_empty() {
        bail!(
            "{} of {} entries could not be taken over",
            import.problems.len(),
            import.problems.len() + templates.len()
        );
    }
    Ok(())
}

fn read(file: &Path) -> anyhow::Result<String> {
    if file == Path::new("-") {
        return std::io::read_to_string(std::io::stdin()).context("cannot read standard input");
    }
    super::read_file(file)
}

/// All documents of a file; JSON is YAML, too.
fn documents(text: &str) -> anyhow::Result<Vec<Value>> {
    serde_saphyr::from_multiple(text).context("this is no YAML")
}
