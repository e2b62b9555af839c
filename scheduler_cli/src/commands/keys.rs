//! `scheduler keys`

use super::merchants;
use crate::cli::Globals;
use crate::output::{self, Column};
use anyhow::bail;
use chrono::{DateTime, Utc};
use scheduler_core::domain::Scope;
use scheduler_core::store::api_keys::ApiKey;
use serde_json::{Value, json};

/// What to do with API keys.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Create a key; its secret is shown once
    Create {
        /// The merchant: name or id
        merchant: String,
        /// What the key is for
        #[arg(long, default_value = "key")]
        name: String,
        /// What it may do, separated by commas [default: everything]
        #[arg(long, value_delimiter = ',')]
        scopes: Vec<Scope>,
        /// When it ends, an RFC 3339 time [default: never]
        #[arg(long)]
        expires: Option<DateTime<Utc>>,
    },
    /// List a merchant's keys
    List {
        /// The merchant: name or id
        merchant: String,
    },
    /// End a key at once (within the API's cache time, 5 s by default)
    Revoke {
        /// The public part, between `sk_` and the next `_`
        id: String,
    },
}

const COLUMNS: &[Column] = &[
    ("id", "/id"),
    ("name", "/name"),
    ("scopes", "/scopes"),
    ("created", "/created_at"),
    ("expires", "/expires_at"),
    ("revoked", "/revoked_at"),
    ("last used", "/last_used_at"),
];

/// Runs the command.
pub async fn run(command: Command, globals: &Globals) -> anyhow::Result<()> {
    let store = super::admin_store(globals)?;
    match command {
        Command::Create { merchant, name, scopes, expires } => {
            let merchant = merchants::find(&store, &merchant).await?;
            let scopes = if scopes.is_empty() { Scope::ALL.to_vec() } else { scopes };
            let (key, secret) = store.create_api_key(merchant, &name, &scopes, expires).await?;
            output::item(globals.output, &json!({ "id": key.id, "key": secret.reveal(), "note": "shown only now" }));
        }
        Command::List { merchant } => {
            let merchant = merchants::find(&store, &merchant).await?;
            let keys: Vec<Value> = store.api_keys(merchant).await?.iter().map(show).collect();
            output::list(globals.output, &Value::Array(keys), COLUMNS);
        }
        Command::Revoke { id } => {
            if store.revoke_api_key(&id).await?.is_none() {
                bail!("there is no key {id}");
            }
            output::line(format_args!("revoked {id}"));
        }
    }
    Ok(())
}

fn show(key: &ApiKey) -> Value {
    let scopes: Vec<_> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    json!({
        "id": key.id,
        "name": key.name,
        "scopes": scopes.join(" "),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
    })
}
