//! `scheduler apply`

use crate::cli::Globals;
use crate::client::Client;
use crate::declarative::carry_out::carry_out;
use crate::declarative::files;
use crate::declarative::plan::{Action, Step, plan};
use crate::declarative::show::{self, Color};
use crate::output::{self, Format};
use anyhow::{Context as _, bail};
use std::path::PathBuf;
use std::process::ExitCode;

/// The exit code of `--dry-run --exit-code` if something would be changed.
const WOULD_CHANGE: u8 = 2;

/// What to apply, and how.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// File of templates and calendars (YAML or JSON), folder of such files, or - for standard input; may be repeated
    #[arg(short, long = "file", value_name = "PATH", required = true)]
    files: Vec<PathBuf>,
    /// Delete what begins with the `prefix` of a file and is in none of them any longer
    #[arg(long)]
    prune: bool,
    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run: exit with code 2 if something would be changed
    #[arg(long, requires = "dry_run")]
    exit_code: bool,
    /// Colours
    #[arg(long, value_enum, default_value = "auto")]
    color: Color,
}

/// Runs the command.
pub async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let wanted = files::read(&args.files)?;
    if args.prune && wanted.prefixes.is_empty() {
        bail!("--prune deletes only what a file calls its own: say `prefix: something/` at the top of the file");
    }
    let client = Client::new(globals)?;
    let steps = plan(&client, &wanted, args.prune).await?;
    match globals.output {
        Format::Json => output::json(&show::value(&steps)),
        Format::Table => show::lines(&steps, args.color).iter().for_each(output::line),
    }
    if args.dry_run {
        let changes = steps.iter().any(|step| step.action != Action::Keep);
        return Ok(if args.exit_code && changes { ExitCode::from(WOULD_CHANGE) } else { ExitCode::SUCCESS });
    }
    carry_out_all(&client, &steps).await?;
    Ok(ExitCode::SUCCESS)
}

/// Stops at the first step that fails: what follows may depend on it.
async fn carry_out_all(client: &Client, steps: &[Step]) -> anyhow::Result<()> {
    let changes: Vec<&Step> = steps.iter().filter(|step| step.action != Action::Keep).collect();
    for (done, step) in changes.iter().enumerate() {
        carry_out(client, step).await.with_context(|| {
            format!("stopped after {done} of {} changes; run it again once this is mended", changes.len())
        })?;
    }
    Ok(())
}
