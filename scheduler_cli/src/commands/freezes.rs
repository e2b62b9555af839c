//! `scheduler freezes`

use crate::cli::Globals;
use crate::client::Client;
use crate::output::{self, Column};
use serde_json::json;

/// What to do with freeze windows.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Let no template start anything for a while
    Create {
        /// The window's name
        name: String,
        /// Its beginning, such as 2027-01-31T18:00:00Z
        #[arg(long, value_name = "TIME")]
        from: String,
        /// Its end
        #[arg(long, value_name = "TIME")]
        to: String,
        /// What becomes of the occurrences in it: held until the end, or skipped
        #[arg(long, default_value = "hold", value_parser = ["hold", "skip"])]
        action: String,
    },
    /// List freeze windows
    List,
    /// Delete a freeze window; what it held and is not due yet is planned anew
    Delete {
        /// The window's name
        name: String,
    },
}

const COLUMNS: &[Column] = &[("name", "/name"), ("from", "/starts_at"), ("to", "/ends_at"), ("action", "/action")];

/// Runs the command.
pub async fn run(command: Command, globals: &Globals) -> anyhow::Result<()> {
    let client = Client::new(globals)?;
    match command {
        Command::Create { name, from, to, action } => {
            let body = json!({ "name": name, "starts_at": from, "ends_at": to, "action": action });
            output::item(globals.output, &client.post("/v1/freezes", &body).await?);
        }
        Command::List => output::list(globals.output, &client.get("/v1/freezes", &[]).await?, COLUMNS),
        Command::Delete { name } => {
            let path = format!("/v1/freezes/{}", name.replace('%', "%25").replace('/', "%2F"));
            client.delete(&path).await?;
            output::line(format_args!("deleted {name}"));
        }
    }
    Ok(())
}
